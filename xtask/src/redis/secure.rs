//! A server that wants TLS, our certificate and a password.

use crate::process::{read, text};
use std::process::Command;

use super::ring::{Ring, host};
use super::{FIRST, Said, one};

const CERTIFICATES: &[&str] = &[
    "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2",
    "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=server",
    "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile server.ext",
    "req -newkey rsa:2048 -nodes -keyout client.key -out client.csr -subj /CN=client",
    "x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out client.pem -days 2 -extfile client.ext",
];

/// Once no gateway runs.
pub(super) fn check(ring: &Ring) -> Result<(), String> {
    ring.write("server.ext", "subjectAltName=DNS:server\n")?;
    ring.write("client.ext", "extendedKeyUsage=clientAuth\n")?;
    ring.write("password", "secret\n")?;
    for line in CERTIFICATES {
        let mut openssl = Command::new("openssl");
        openssl.args(line.split(' ')).current_dir(&ring.folder);
        read(openssl)?;
    }
    let mut server = ring.command("s1", "redis-server");
    server.args(
        "--port 0 --tls-port 6390 --tls-cert-file server.pem --tls-key-file server.key".split(' '),
    );
    server.args("--tls-ca-cert-file ca.pem --tls-auth-clients yes --requirepass secret".split(' '));
    server
        .args(["--bind", "0.0.0.0", "--save", "", "--dir"])
        .arg(&ring.folder);
    let _server = ring.launch(server, "server-tls.log")?;

    let tls = "-ca=ca.pem -cert=client.pem -certKey=client.key -passwordFile=password";
    let at = format!("-ipport={}:6390 -type=dns46", Ring::address(1));
    let set = "-set -key=10.46.0.7 -val=2001:db8:46:1::fff7 --force";
    ring.until("no TLS", 10, |ring| {
        let (code, _, err) = ring.mrfdb(&format!("{at} -serverName=server {tls} {set}"))?;
        if code == Some(0) { Ok(()) } else { Err(err) }
    })?;
    let (_, out, _) = ring.mrfdb(&format!("{at} -serverName=server {tls} -display=all"))?;
    if out.lines().count() != 2 {
        return Err(format!("over TLS mrfdb shows {out}"));
    }
    for (options, why) in [
        (format!("{at} {tls} -display=all"), "not valid for name"),
        (
            format!("{at} -serverName=other {tls} -display=all"),
            "not valid for name",
        ),
        (
            format!("{at} -serverName=server -ca=ca.pem -display=all"),
            "",
        ),
        (
            format!(
                "{at} -serverName=server -ca=ca.pem -cert=client.pem -certKey=client.key -display=all"
            ),
            "NOAUTH",
        ),
    ] {
        let (code, _, err) = ring.mrfdb(&options)?;
        if code != Some(1) || !err.contains(why) {
            return Err(format!("mrfdb {options}: {code:?}, {err}"));
        }
    }
    let store = format!(
        "rediss://{}:6390?ca=ca.pem&cert=client.pem&key=client.key&server-name=server&password-file=password",
        Ring::address(1)
    );
    let mut measure = ring.own("s1");
    measure.args(["mappings", "measure", "--count", "2000", "--store", &store]);
    let told = text(measure)?;
    if !told.contains(" 0 of them") {
        return Err(format!("over TLS: {told}"));
    }
    let run = ring.gateway_of(&store, 0, "0", "state-tls");
    let gateway = ring.launch(run, "gateway-tls.log")?;
    let mut said = Said::new();
    let number = FIRST - 1;
    let told = ring.until("a gateway does not run over TLS", 15, |ring| {
        ring.ask_state(0, "show stats -o json", "state-tls")?;
        one(ring, &mut said, 0, number)
    })?;
    ring.until("what it told is not in the store", 5, |ring| {
        let (_, shown, _) = ring.mrfdb(&format!("{at} -serverName=server {tls} -display=all"))?;
        let is_there = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            matches!(words.as_slice(), [key, value] if key.ends_with(&told) && value.contains(&host(number)))
        };
        if shown.lines().any(is_there) { Ok(()) } else { Err(shown) }
    })?;
    gateway.signal("TERM")?;
    gateway.ended()?;
    println!(
        "TLS: a gateway of its own, our certificate, the server's name, the password; refused without any of them"
    );
    Ok(())
}
