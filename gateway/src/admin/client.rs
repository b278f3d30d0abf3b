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
