//! HTTP on a loopback address: for those who know the token, and no other site's scripts.

use core::net::{Ipv4Addr, SocketAddr};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

/// The cookie that a browser has once it came with the token.
const COOKIE: &str = "egress-token";

/// A loopback address and a port.
pub(crate) fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "an address and a port were expected, as 127.0.0.1:8046".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err(
            "only a loopback address is served; put a proxy with TLS in front for others"
                .to_owned(),
        )
    }
}

/// The token in a file; a new one, for its owner alone, if there is none.
pub(crate) fn token(path: &Path) -> io::Result<String> {
    let told = |error: io::Error| {
        let kind = error.kind();
        io::Error::new(kind, format!("{}: {error}", path.display()))
    };
    match fs::read_to_string(path) {
        Ok(text) if text.trim().len() >= 16 => {
            let mode = fs::metadata(path).map_err(told)?.permissions().mode();
            if mode & 0o077 != 0 {
                let mode = mode & 0o7777;
                let path = path.display();
                tracing::warn!(
                    "{path}: others than its owner may use the token: its mode is {mode:o}, not 600"
                );
            }
            return Ok(text.trim().to_owned());
        }
        Ok(_) => {
            let why = "a token of 16 characters or more was expected";
            return Err(told(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(told(error)),
        Err(_) => {}
    }
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(told)?;
    writeln!(file, "{token}").map_err(told)?;
    Ok(token)
}

/// The same routes behind the token: in `Authorization: Bearer`, in a cookie, or in `?token=`, which
/// gives the cookie and goes out of sight.
pub(crate) fn guarded(routes: Router, token: &str) -> Router {
    let token: alloc::sync::Arc<str> = token.into();
    routes.layer(from_fn(move |request: Request, next: Next| {
        let token = token.clone();
        async move { guard(&token, request, next).await }
    }))
}

async fn guard(token: &str, request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let given = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("token="))
        .unwrap_or_default();
    if !given.is_empty() && same(given, token) {
        let cookie = format!("{COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/");
        // Elsewhere a path such as //other.example/ would lead away.
        let to = "/".to_owned();
        let headers = [(header::SET_COOKIE, cookie), (header::LOCATION, to)];
        return (StatusCode::SEE_OTHER, headers).into_response();
    }
    // Names lead to loopback addresses too: another site's page must not speak to this one.
    let host = text(request.headers(), header::HOST);
    if !is_local(host) {
        return (
            StatusCode::MISDIRECTED_REQUEST,
            "ask for a loopback address\n",
        )
            .into_response();
    }
    let origin = text(request.headers(), header::ORIGIN);
    let changes = ![Method::GET, Method::HEAD].contains(request.method());
    let is_own = origin
        .strip_prefix("http://")
        .is_some_and(|from| from.eq_ignore_ascii_case(host));
    if changes && request.headers().contains_key(header::ORIGIN) && !is_own {
        let told = "another site's page may not change anything here\n";
        return (StatusCode::FORBIDDEN, told).into_response();
    }
    let bearer = text(request.headers(), header::AUTHORIZATION)
        .strip_prefix("Bearer ")
        .unwrap_or_default();
    let cookie = text(request.headers(), header::COOKIE)
        .split("; ")
        .find_map(|pair| pair.strip_prefix(COOKIE)?.strip_prefix('='))
        .unwrap_or_default();
    if same(bearer, token) || same(cookie, token) {
        return next.run(request).await;
    }
    let told = "the token is missing: open /?token=TOKEN, or send Authorization: Bearer TOKEN\n";
    (StatusCode::UNAUTHORIZED, told).into_response()
}

/// Whether `host[:port]` is an address of this host alone.
fn is_local(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        // The colons of an IPv6 address are in brackets.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_port = |port: &str| {
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        is_number && port.parse::<u16>().is_ok()
    };
    let is_loopback = name == "[::1]"
        || name.eq_ignore_ascii_case("localhost")
        || name
            .parse()
            .is_ok_and(|address: Ipv4Addr| address.is_loopback());
    is_loopback && port.is_none_or(is_port)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Compares without telling by its time how far they agree.
fn same(one: &str, other: &str) -> bool {
    let differ = one.bytes().zip(other.bytes());
    one.len() == other.len() && differ.fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn a_host_is_compared_whole() {
        for own in [
            "127.0.0.1",
            "127.0.0.1:8046",
            "127.9.8.7:1",
            "[::1]",
            "[::1]:8046",
            "localhost",
            "LocalHost:80",
        ] {
            assert!(is_local(own), "{own}");
        }
        for other in [
            "",
            "127.evil.example",
            "127.0.0.1.evil.example:8046",
            "localhost.evil.example",
            "[::1].evil.example",
            "[::1]evil",
            "[::2]",
            "::1",
            "10.0.0.1",
            "localhost:",
            "localhost:x",
            "localhost:80:80",
            "user@127.0.0.1",
        ] {
            assert!(!is_local(other), "{other}");
        }
    }
}
