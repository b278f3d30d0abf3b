//! One request to a running gateway.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{path}: {error} (is the gateway running, and --state the same?)")]
    Connect { path: String, error: io::Error },
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Refused(String),
}

/// Sends a request, with JSON if `body` is not empty, and gives the body of the reply.
pub(crate) fn send(
    socket: &Path,
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<Vec<u8>, ClientError> {
    let mut stream = UnixStream::connect(socket).map_err(|error| ClientError::Connect {
        path: socket.display().to_string(),
        error,
    })?;
    // HTTP/1.0: the reply ends with the connection.
    let length = body.len();
    let about = if body.is_empty() {
        String::new()
    } else {
        format!("Content-Type: application/json\r\nContent-Length: {length}\r\n")
    };
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: gateway\r\n{about}\r\n"
    )?;
    stream.write_all(body)?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| ClientError::Refused("no HTTP reply".to_owned()))?;
    let body = reply.split_off(end + 4);
    let head = String::from_utf8_lossy(&reply);
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status == "200" {
        return Ok(body);
    }
    let told = String::from_utf8_lossy(&body).trim().to_owned();
    Err(ClientError::Refused(format!("{status}: {told}")))
}

/// A reply that comes bit by bit.
#[derive(Debug)]
pub(crate) struct Stream {
    stream: UnixStream,
    /// What came behind the head.
    first: Vec<u8>,
}

impl Stream {
    /// Asks for it, and reads its head.
    pub(crate) fn open(socket: &Path, path: &str) -> Result<Self, ClientError> {
        let mut stream = UnixStream::connect(socket).map_err(|error| ClientError::Connect {
            path: socket.display().to_string(),
            error,
        })?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: gateway\r\n\r\n")?;
        let mut head = Vec::new();
        let end = loop {
            if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            let mut piece = [0; 4096];
            let length = stream.read(&mut piece)?;
            if length == 0 {
                return Err(ClientError::Refused("no HTTP reply".to_owned()));
            }
            head.extend_from_slice(&piece[..length]);
        };
        let first = head.split_off(end + 4);
        if !head.starts_with(b"HTTP/1.0 200") && !head.starts_with(b"HTTP/1.1 200") {
            let told = String::from_utf8_lossy(&first).trim().to_owned();
            return Err(ClientError::Refused(told));
        }
        stream.set_read_timeout(Some(core::time::Duration::from_millis(200)))?;
        Ok(Self { stream, first })
    }

    /// What came next, nothing if nothing did for a while; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !self.first.is_empty() {
            return Ok(Some(core::mem::take(&mut self.first)));
        }
        let mut piece = vec![0; 1 << 16];
        match self.stream.read(&mut piece) {
            Ok(0) => Ok(None),
            Ok(length) => {
                piece.truncate(length);
                Ok(Some(piece))
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => Ok(Some(Vec::new())),
                _ => Err(error),
            },
        }
    }
}
