//! `resolve NAME`: what a pod would be told.

use core::net::IpAddr;
use std::io::{self, Write};
use std::process::ExitCode;

use hickory_proto::op::Message;

use super::show::{Socket, tell};

/// Ask the running gateway for a name, as a pod would.
///
/// Exit code 1: there is no answer.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The name, as example.com.
    name: String,
    /// The type: A, AAAA, PTR, HTTPS or a number.
    #[arg(default_value = "A", value_name = "TYPE")]
    kind: String,
    /// The pod that asks; by default the gateway's own address on the pods' side. An IPv6 pod is told of
    /// NAT64, an IPv4 one of NAT46.
    #[arg(long = "as", value_name = "ADDRESS")]
    pod: Option<IpAddr>,
    #[command(flatten)]
    socket: Socket,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let (name, kind) = (quoted(&arguments.name), quoted(&arguments.kind));
    let mut path = format!("/resolve/{name}/{kind}");
    if let Some(pod) = arguments.pod {
        path += &format!("?as={pod}");
    }
    let reply = match arguments.socket.request("GET", &path) {
        Ok(reply) => reply,
        Err(error) => return tell(&error),
    };
    let Ok(reply) = Message::from_vec(&reply) else {
        eprintln!("error: the reply is no DNS message");
        return ExitCode::from(1);
    };
    let mut out = io::stdout().lock();
    let _ = writeln!(
        out,
        "{}, {} answers",
        reply.response_code,
        reply.answers.len()
    );
    for record in &reply.answers {
        let _ = writeln!(out, "{record}");
    }
    for record in &reply.authorities {
        let _ = writeln!(out, "authority: {record}");
    }
    if reply.answers.is_empty() {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

/// As a segment of a path (RFC 3986 §2.1).
fn quoted(text: &str) -> String {
    let quote = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(quote).collect()
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_name_stays_one_segment() {
        assert_eq!(quoted("_dns.example-1.com"), "_dns.example-1.com");
        assert_eq!(quoted("a/b?as=\r\n%"), "a%2Fb%3Fas%3D%0D%0A%25");
    }
}
