//! Manual entries: a recorded session of commands, column by column, and what it does in every gateway.

use super::ring::{COUNT, Ring};
use crate::process::text;

/// Commands, and what they print. `$` is what comes before the action.
const SESSION: &str = "\
$ -display=all
| 
$ -set -key=10.46.0.1 -val=2001:db8:46:1::fff1
$ -display=all
| t_dns4610.46.0.1                                              2001:db8:46:1::fff1
| t_nat462001:db8:46:1::fff1                                    10.46.0.1
$ -set -key=10.46.0.2 -val=2001:db8:46:1::fff2
$ -set -key=10.46.0.2 -val=2001:db8:46:1::fff2
$ -display=all
| t_dns4610.46.0.1                                              2001:db8:46:1::fff1
| t_nat462001:db8:46:1::fff1                                    10.46.0.1
| t_dns4610.46.0.2                                              2001:db8:46:1::fff2
| t_nat462001:db8:46:1::fff2                                    10.46.0.2
$ -delete -key=10.46.0.1 -val=2001:db8:46:1::fff1
$ -display=all
| t_dns4610.46.0.2                                              2001:db8:46:1::fff2
| t_nat462001:db8:46:1::fff2                                    10.46.0.2
! SET t_dns4610.46.0.3 2001:db8:46:1::fff3
$ -display=all
| t_dns4610.46.0.2                                              2001:db8:46:1::fff2
| t_nat462001:db8:46:1::fff2                                    10.46.0.2
| t_dns4610.46.0.3                                              2001:db8:46:1::fff3
$ -set -key=10.46.0.3 -val=2001:db8:46:1::fff3
$ -display=10.46.0.3
| t_dns4610.46.0.3                                              2001:db8:46:1::fff3
| t_nat462001:db8:46:1::fff3                                    10.46.0.3
! SET t_dns4610.46.0.4 \\x01S300S2001:db8:46:1:0:0:0:fff4
$ -display=10.46.0.4
| t_dns4610.46.0.4                                              2001:db8:46:1::fff4
% mappings upgrade
$ -display=10.46.0.4
| t_dns4610.46.0.4                                              2001:db8:46:1::fff4
| t_nat462001:db8:46:1::fff4                                    10.46.0.4
! LPUSH t_dns4610.46.0.7 x
! LPUSH t_nat462001:db8:46:1::fff8 x
$ -display=10.46.0.7
| 
$ -set -key=10.46.0.7 -val=2001:db8:46:1::fff8 --force
$ -display=10.46.0.7
| t_dns4610.46.0.7                                              2001:db8:46:1::fff8
| t_nat462001:db8:46:1::fff8                                    10.46.0.7
$ -delete -key=10.46.0.7
! LPUSH t_dns4610.46.0.8 x
";

/// What is refused, and why.
const REFUSED: &[(&str, &str)] = &[
    (
        "-set -key=10.46.1.1 -val=2001:db8:46:1::fff5",
        "not reserved",
    ),
    (
        "-set -key=10.46.0.2 -val=2001:db8:46:1::fff6",
        "stands for 2001:db8:46:1::fff2",
    ),
    (
        "-delete -key=10.46.0.2 -val=2001:db8:46:1::fff6",
        "stands for 2001:db8:46:1::fff2",
    ),
    (
        "-set -key=10.46.0.8 -val=2001:db8:46:1::fff6",
        "cannot be read",
    ),
    (
        "-delete -key=10.46.0.9 -val=2001:db8:46:1::fff6",
        "stands for nothing",
    ),
];

/// Mappings of names are shown too; the session is about those by hand.
fn by_hand(shown: &str) -> String {
    let about = |line: &&str| line.contains("fff");
    shown
        .lines()
        .filter(about)
        .map(|line| format!("{line}\n"))
        .collect()
}

pub(super) fn session(ring: &Ring) -> Result<(), String> {
    let head = format!(
        "-ipport={}:26379 -serverName=server -type=dns46",
        Ring::address(1)
    );
    let mut lines = SESSION.lines().peekable();
    while let Some(line) = lines.next() {
        let (kind, rest) = line.split_at(2);
        let mut wanted = String::new();
        while let Some(shown) = lines.next_if(|line| line.starts_with("| ")) {
            let shown = &shown[2..];
            if !shown.is_empty() {
                wanted.push_str(shown);
                wanted.push('\n');
            }
        }
        match kind {
            "$ " => {
                let (code, out, err) = ring.mrfdb(&format!("{head} {rest}"))?;
                if code != Some(0) {
                    return Err(format!("mrfdb {rest}: {code:?}, {err}"));
                }
                if by_hand(&out) != wanted {
                    return Err(format!("mrfdb {rest} shows\n{out}and not\n{wanted}"));
                }
            }
            "! " => {
                let rest = rest.replace("\\x01", "x");
                ring.server(ring.master()?, &rest).map(drop)?;
            }
            _ => {
                ring.program(&format!("{rest} --store {}", Ring::store()))?;
            }
        }
    }
    for (action, why) in REFUSED {
        let (code, _, err) = ring.mrfdb(&format!("{head} {action}"))?;
        if code != Some(1) || !err.contains(why) {
            return Err(format!("mrfdb {action}: {code:?}, {err}"));
        }
    }
    ring.server(ring.master()?, "DEL t_dns4610.46.0.8")?;
    everywhere(ring, "10.46.0.2", Some("2001:db8:46:1::fff2"))?;
    everywhere(ring, "10.46.0.3", Some("2001:db8:46:1::fff3"))?;
    everywhere(ring, "10.46.0.4", Some("2001:db8:46:1::fff4"))?;
    everywhere(ring, "10.46.0.1", None)?;
    for pod in 0..COUNT {
        let mut echo = ring.command(&format!("p{pod}"), "python3");
        echo.arg(ring.folder.join("echo.py"))
            .args(["10.46.0.2", "0.3"]);
        text(echo).map_err(|why| format!("a manual entry through {pod}: {why}"))?;
    }
    // By a gateway's own socket, by redis-cli, and away again.
    ring.ask(0, "mappings set 10.46.0.5 2001:db8:46:1::fff5")?;
    everywhere(ring, "10.46.0.5", Some("2001:db8:46:1::fff5"))?;
    let (code, _, err) = ring.mrfdb(&format!(
        "-state={} -replica=1 -type=dns46 -delete -key=10.46.0.5 -val=2001:db8:46:1::fff6",
        ring.folder.join("state-1").display()
    ))?;
    if code != Some(1) || !err.contains("stands for 2001:db8:46:1::fff5") {
        return Err(format!(
            "mrfdb by the socket, with another value: {code:?}, {err}"
        ));
    }
    ring.ask(1, "mappings delete 10.46.0.5")?;
    everywhere(ring, "10.46.0.5", None)?;
    ring.server(ring.master()?, "DEL t_dns4610.46.0.3")?;
    everywhere(ring, "10.46.0.3", None)?;
    let (code, _, err) = ring.mrfdb(&format!(
        "{head} -set -key=10.46.0.2 -val=2001:db8:46:1::fff7 --force"
    ))?;
    if code != Some(0) {
        return Err(format!("mrfdb --force: {err}"));
    }
    everywhere(ring, "10.46.0.2", Some("2001:db8:46:1::fff7"))?;
    println!("manual entries: shown column by column, and in effect everywhere");
    Ok(())
}

/// Within a second every gateway holds an address to stand for a host, or for nothing.
pub(super) fn everywhere(ring: &Ring, address: &str, host: Option<&str>) -> Result<(), String> {
    within(ring, address, host, 1)
}

pub(super) fn within(
    ring: &Ring,
    address: &str,
    host: Option<&str>,
    seconds: u64,
) -> Result<(), String> {
    for number in 0..COUNT {
        ring.until("an entry is not in effect", seconds, |ring| {
            let rows = ring.ask(number, "show mappings -o csv")?;
            let mut rows = rows.lines().filter(|row| !row.contains("quarantine"));
            let found = rows.find_map(|row| row.strip_prefix(&format!("{address},")));
            let found = found
                .and_then(|row| row.split(',').next())
                .map(ToOwned::to_owned);
            if found.as_deref() == host {
                Ok(())
            } else {
                Err(format!("{address} is {found:?} to {number}, not {host:?}"))
            }
        })?;
    }
    Ok(())
}
