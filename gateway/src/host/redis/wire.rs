//! One connection: commands out, replies in, each within a time.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Instant;

use redis::{Cmd, Parser, Value, cmd};
use rustls::{ClientConnection, StreamOwned};

use super::access::Access;
use super::client::now;
use super::location::Server;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{server}: {why}")]
    Connect { server: String, why: String },
    #[error("{file}: {why}")]
    File { file: String, why: String },
    #[error("TLS: {0}")]
    Tls(String),
    #[error("{}", told_of(.0))]
    Io(#[from] io::Error),
    /// What the server says to a command.
    #[error("the server says: {0}")]
    Server(String),
    #[error("{0}")]
    Reply(String),
    /// It does not take writes.
    #[error("{server} is no master but {role}")]
    Role { server: String, role: String },
    /// Sentinels know nothing of it, or none answers.
    #[error("no Sentinel tells of {master}: {why}")]
    Sentinel { master: String, why: String },
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(into),
            Self::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(from),
            Self::Tls(stream) => stream.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// Nothing is read any more once it is over: a reply that comes byte by byte would hold its reader for ever.
struct Until<'a> {
    stream: &'a mut Stream,
    end: Instant,
}

impl Read for Until<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if now() >= self.end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.read(into)
    }
}

/// A reply that has begun may take so many times as long as the server may be silent.
const WHOLE: u32 = 4;

pub(crate) struct Connection {
    stream: Stream,
    patience: Duration,
    parser: Parser,
    server: Server,
}

impl Connection {
    /// Connects and tells who we are; each step, and every later reply, may take `patience`.
    pub(crate) fn open(
        server: &Server,
        access: &Access,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let failed = |why: &dyn core::fmt::Display| StoreError::Connect {
            server: server.to_string(),
            why: why.to_string(),
        };
        let addresses = (server.host.as_str(), server.port).to_socket_addrs();
        let mut addresses = addresses.map_err(|error| failed(&error))?;
        let first = addresses.next().ok_or_else(|| failed(&"no address"))?;
        let mut stream = TcpStream::connect_timeout(&first, patience);
        for address in addresses {
            if stream.is_err() {
                stream = TcpStream::connect_timeout(&address, patience);
            }
        }
        let stream = stream.map_err(|error| failed(&error))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let stream = match &access.tls {
            None => Stream::Plain(stream),
            Some(tls) => {
                let session = tls.session(server)?;
                Stream::Tls(Box::new(StreamOwned::new(session, stream)))
            }
        };
        let mut connection = Self {
            stream,
            patience,
            parser: Parser::new(),
            server: server.clone(),
        };
        let mut greeting = Vec::new();
        if let Some(password) = access.password()? {
            let mut auth = cmd("AUTH");
            if let Some(user) = &access.user {
                auth.arg(user);
            }
            auth.arg(password);
            greeting.push(auth);
        }
        if access.database != 0 {
            let mut select = cmd("SELECT");
            select.arg(access.database);
            greeting.push(select);
        }
        let greeted = connection.ask_all(&greeting);
        for reply in greeted.map_err(|error| failed(&error))? {
            told(reply).map_err(|error| failed(&error))?;
        }
        Ok(connection)
    }

    pub(crate) const fn server(&self) -> &Server {
        &self.server
    }

    pub(crate) fn send(&mut self, commands: &[Cmd]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for command in commands {
            command.write_packed_command(&mut bytes);
        }
        self.stream.write_all(&bytes)?;
        self.stream.flush()
    }

    /// The next reply, or message; `None` if its time is over: it may still come, whole.
    pub(crate) fn receive(&mut self) -> Result<Option<Value>, StoreError> {
        let read = Until {
            stream: &mut self.stream,
            end: now() + self.patience * WHOLE,
        };
        match self.parser.parse_value(read) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_timeout() => Ok(None),
            Err(error) => Err(StoreError::Reply(clean(&error.to_string()))),
        }
    }

    /// The replies to all commands, which are sent at once; errors of single ones are among them.
    pub(crate) fn ask_all(&mut self, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
        self.send(commands)?;
        let reply = |_: &Cmd| {
            let late = || StoreError::Reply("no reply in time".to_owned());
            self.receive()?.ok_or_else(late)
        };
        commands.iter().map(reply).collect()
    }

    pub(crate) fn ask(&mut self, command: Cmd) -> Result<Value, StoreError> {
        let reply = self.ask_all(&[command])?.pop();
        told(reply.unwrap_or_default())
    }

    /// Fails unless the server takes writes.
    pub(crate) fn verify_role(&mut self) -> Result<(), StoreError> {
        let reply = self.ask(cmd("ROLE"))?;
        self.check_role(&reply)
    }

    /// The same, of a reply to ROLE.
    pub(crate) fn check_role(&self, reply: &Value) -> Result<(), StoreError> {
        match role(reply).as_deref() {
            Some("master") => Ok(()),
            role => Err(StoreError::Role {
                server: self.server.to_string(),
                role: clean(role.unwrap_or("nothing known")),
            }),
        }
    }
}

/// One line, of a length that can be read, without what would steer a terminal: who says it need not be the
/// server.
fn clean(text: &str) -> String {
    const MOST: usize = 200;
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").escape_debug().take(MOST).collect();
    line.replace("\\\"", "\"").replace("\\'", "'")
}

fn told_of(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no reply in time".to_owned(),
        _ => error.to_string(),
    }
}

/// `master`, `slave` or `sentinel`.
pub(crate) fn role(reply: &Value) -> Option<String> {
    let Value::Array(parts) = reply else {
        return None;
    };
    string(parts.first()?)
}

/// The reply, unless it is an error.
pub(crate) fn told(reply: Value) -> Result<Value, StoreError> {
    match reply {
        Value::ServerError(error) => {
            let details = error.details().unwrap_or_default();
            let said = format!("{} {details}", error.code());
            Err(StoreError::Server(clean(&said)))
        }
        other => Ok(other),
    }
}

pub(crate) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

pub(crate) fn string(value: &Value) -> Option<String> {
    Some(String::from_utf8_lossy(bytes(value)?).into_owned())
}

/// The elements of a list.
pub(crate) fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) | Value::Set(values) => values,
        _ => Vec::new(),
    }
}

/// A server that says to each command what is written beside its name, and to others nothing. Where a name is there
/// several times, each is for one connection, the last for all further ones.
#[cfg(test)]
pub(crate) fn scripted(replies: &'static [(&'static str, &'static str)]) -> Server {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for (turn, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut parser = Parser::new();
                while let Ok(Value::Array(words)) = parser.parse_value(&mut stream) {
                    let name = words.first().and_then(string);
                    let of = replies
                        .iter()
                        .filter(|(of, _)| Some(*of) == name.as_deref());
                    if let Some((_, text)) = of.take(turn + 1).last() {
                        let _ = stream.write_all(text.as_bytes());
                    }
                }
            });
        }
    });
    Server::parse(&address, 0).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_one_line_that_steers_no_terminal() {
        assert_eq!(
            clean("Parse error\n  |\n 1 | \u{1b}[31m"),
            "Parse error | 1 | \\u{1b}[31m"
        );
        assert_eq!(clean("wants 'a' \"b\""), "wants 'a' \"b\"");
        assert_eq!(clean(&"x".repeat(5000)).len(), 200);
    }

    #[test]
    fn a_server_that_drips_is_not_listened_to_for_ever() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::parse(&listener.local_addr().unwrap().to_string(), 0).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let pause = Some(Duration::from_millis(10));
            stream.set_read_timeout(pause).unwrap();
            let _ = stream.write_all(b"$9000000\r\n");
            while stream.write_all(b"x").is_ok() {
                let _ = stream.read(&mut [0; 64]);
            }
        });
        let patience = Duration::from_millis(100);
        let mut connection = Connection::open(&server, &Access::default(), patience).unwrap();
        let error = connection.verify_role().unwrap_err();
        assert_eq!(error.to_string(), "no reply in time");
    }

    #[test]
    fn a_time_that_is_over_is_called_so() {
        for kind in [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut] {
            assert_eq!(
                StoreError::from(io::Error::from(kind)).to_string(),
                "no reply in time"
            );
        }
    }
}
