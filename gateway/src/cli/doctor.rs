//! `doctor`: whether this host, the resources, the store and the way of a query are in order.

mod neighbours;

use alloc::collections::BTreeMap;
use core::time::Duration;
use std::fs;
use std::io::{self, Write};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::ExitCode;

use egress_config::Plan;
use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RecordType};

use super::plan::{self, Chosen};
use super::show::Socket;
use crate::host::journal::{self, JournalError};
use crate::host::network::Network;

/// Check the host, the resources, the journal, name servers and the way of a query.
///
/// Changes nothing. Exit code 0: nothing is wrong; 1: something is, with what to do about it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files or directories with the resources.
    #[arg(long, required = true, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// The device of a VLAN's interface, as for run.
    #[arg(long, value_name = "INTERFACE=DEVICE", value_parser = super::run::interface)]
    interface: Vec<(String, String)>,
    /// A name to ask for.
    #[arg(long, default_value = "example.com", value_name = "NAME")]
    name: String,
    #[command(flatten)]
    socket: Socket,
}

/// How a check ended.
enum Found {
    Good(String),
    /// It may be meant so.
    Odd(String, String),
    /// And what to do.
    Bad(String, String),
}

use Found::{Bad, Good, Odd};

struct Report {
    bad: bool,
}

impl Report {
    fn tell(&mut self, what: &str, found: Found) {
        let line = match found {
            Good(found) => format!("ok    {what}: {found}"),
            Odd(found, to_do) => format!("note  {what}: {found}\n      {to_do}"),
            Bad(found, to_do) => {
                self.bad = true;
                format!("BAD   {what}: {found}\n      {to_do}")
            }
        };
        // Whoever reads may have gone; the exit code still tells.
        let _ = writeln!(io::stdout().lock(), "{line}");
    }
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mut report = Report { bad: false };
    let chosen = Chosen::of(arguments.socket.replica(), None);
    let plan = plan::read(&arguments.config, &chosen).ok();
    let plan = plan.and_then(|plans| plans.into_iter().next());
    report.tell(
        "resources",
        match &plan {
            Some(plan) => Good(format!("replica {} of {}", plan.replica, plan.egress)),
            None => Bad(
                "no plan".to_owned(),
                "see above; `egress-gateway check` tells more".to_owned(),
            ),
        },
    );
    report.tell("TUN", tun());
    report.tell("privileges", privileges());
    let running = arguments.socket.value("/stats");
    if let Some(plan) = &plan {
        devices(&mut report, plan, &arguments.interface);
        report.tell("neighbours", neighbours::check(plan));
        servers(&mut report, plan);
    }
    report.tell("forwarding", forwarding(running.is_ok()));
    report.tell("journal", journal(&arguments.socket));
    match running {
        Ok(stats) => {
            let uptime = &stats["uptime_seconds"];
            report.tell("gateway", Good(format!("runs for {uptime} s")));
            pressure(&mut report, &stats);
            report.tell("a query", query(arguments));
        }
        Err(error) => {
            let to_do = "start it: egress-gateway run --config …".to_owned();
            report.tell("gateway", Odd(error.to_string(), to_do));
            report.tell("state", state(&arguments.socket));
        }
    }
    if report.bad {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

fn tun() -> Found {
    let path = "/dev/net/tun";
    match fs::OpenOptions::new().read(true).write(true).open(path) {
        Ok(_) => Good(format!("{path} can be opened")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Bad(
            format!("there is no {path}"),
            "modprobe tun; in a container, give it the device".to_owned(),
        ),
        Err(error) => Bad(
            format!("{path}: {error}"),
            "run as root, or give the unit DeviceAllow=/dev/net/tun rw".to_owned(),
        ),
    }
}

fn privileges() -> Found {
    let has = rustix::thread::capabilities(None).is_ok_and(|sets| {
        sets.effective
            .contains(rustix::thread::CapabilitySet::NET_ADMIN)
    });
    if has {
        Good("CAP_NET_ADMIN is there".to_owned())
    } else {
        let to_do = "run as root, or with AmbientCapabilities=CAP_NET_ADMIN".to_owned();
        Bad("CAP_NET_ADMIN is missing".to_owned(), to_do)
    }
}

fn devices(report: &mut Report, plan: &Plan, chosen: &[(String, String)]) {
    let chosen: BTreeMap<String, String> = chosen.iter().cloned().collect();
    for (vlan, device) in Network::look(plan, &chosen) {
        let found = match device {
            Ok(device) => Good(format!("{vlan} is on {device}")),
            Err(error) => {
                let told = error.to_string();
                let told = told.strip_prefix("VLAN ").unwrap_or(&told);
                Bad(told.to_owned(), "then say doctor again".to_owned())
            }
        };
        report.tell("VLAN", found);
    }
}

fn forwarding(is_running: bool) -> Found {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/net/{name}")).unwrap_or_default();
    let (four, six) = (read("ipv4/ip_forward"), read("ipv6/conf/all/forwarding"));
    match (four.trim(), six.trim()) {
        ("1", "1") => Good("both families".to_owned()),
        _ if !is_running => Good("off; the gateway switches it on while it runs".to_owned()),
        (four, six) => Bad(
            format!("IPv4 {four}, IPv6 {six}, though the gateway runs"),
            "something else switched it off: sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"
                .to_owned(),
        ),
    }
}

/// Asks each name server from this host.
fn servers(report: &mut Report, plan: &Plan) {
    let Some(dns) = &plan.dns else {
        let to_do =
            "dnsNat46Enabled or nat64Enabled, and dnsCacheName, have it answer them".to_owned();
        report.tell(
            "DNS",
            Odd("queries of pods are not intercepted".to_owned(), to_do),
        );
        return;
    };
    for server in dns.zones.iter().flat_map(|zone| &zone.servers) {
        let asked = || -> io::Result<bool> {
            let any = if server.is_ipv4() {
                "0.0.0.0:0"
            } else {
                "[::]:0"
            };
            let socket = UdpSocket::bind(any)?;
            socket.set_read_timeout(Some(Duration::from_secs(2)))?;
            socket.connect(server)?;
            let mut query = Message::new(7, MessageType::Query, OpCode::Query);
            query.add_query(Query::query(Name::root(), RecordType::NS));
            socket.send(&query.to_vec().map_err(io::Error::other)?)?;
            let length = socket.recv(&mut [0; 4096])?;
            Ok(length >= 12)
        };
        let found = match asked() {
            Ok(true) => Good("answers this host".to_owned()),
            Ok(false) => Bad(
                "answers with garbage".to_owned(),
                "is it a name server?".to_owned(),
            ),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Bad(
                "does not answer this host within 2 s".to_owned(),
                format!(
                    "is it up, and is there a way (ip route get {})?",
                    server.ip()
                ),
            ),
            Err(error) => Bad(
                format!("does not answer this host ({error})"),
                format!(
                    "is it up, and is there a way (ip route get {})?",
                    server.ip()
                ),
            ),
        };
        report.tell(&format!("name server {server}"), found);
    }
}

/// What is close to a limit.
fn pressure(report: &mut Report, stats: &serde_json::Value) {
    let free = stats["free_addresses"].as_u64();
    if free == Some(0) && !stats["virtual_servers"].is_null() {
        let to_do = "a larger dnsNat46Ipv4Subnet, or fewer reserved addresses".to_owned();
        report.tell("DNS46 addresses", Odd("none is free".to_owned(), to_do));
    }
    let lost = stats["drops"].as_object().into_iter().flatten();
    for (reason, count) in lost {
        let to_do = match reason.as_str() {
            "no-snat-address" => "give the replica's SNAT list an address of each family",
            "session-refused" => "more SNAT addresses, or --sessions; see the log",
            "unmapped" => "pods keep answers for longer than their TTL; docs/troubleshooting.md",
            _ => continue,
        };
        let found = format!("{count} packets, {reason}");
        report.tell("drops", Odd(found, to_do.to_owned()));
    }
}

fn query(arguments: &Arguments) -> Found {
    let path = format!("/resolve/{}/A", arguments.name);
    let reply = arguments.socket.request("GET", &path);
    let name = &arguments.name;
    match reply.map(|bytes| Message::from_vec(&bytes)) {
        Ok(Ok(reply)) if reply.response_code.to_string() == "No Error" => {
            Good(format!("{name} has {} answers", reply.answers.len()))
        }
        Ok(Ok(reply)) => Odd(
            format!("{name}: {}", reply.response_code),
            "egress-gateway resolve NAME tells more; docs/troubleshooting.md".to_owned(),
        ),
        Ok(Err(error)) => Bad(
            error.to_string(),
            "this should not be: report it".to_owned(),
        ),
        Err(error) => Bad(
            format!("{name}: {error}"),
            "the name servers must answer the external self IP: egress-gateway show cache"
                .to_owned(),
        ),
    }
}

fn journal(socket: &Socket) -> Found {
    let name = format!("replica-{}-mappings.redb", socket.replica());
    let path = socket.folder().join(name);
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Good(format!("{} will be made", path.display()));
        }
        Err(error) => {
            let to_do = "make it readable, or say --state".to_owned();
            return Bad(format!("{}: {error}", path.display()), to_do);
        }
        Ok(_) => {}
    }
    match journal::look(&path) {
        Ok(count) => Good(format!("{}: {count} mappings", path.display())),
        Err(JournalError::InUse { path }) => Good(format!("{path}: in use by a running gateway")),
        Err(JournalError::Open { path, error }) => Bad(
            format!("{path}: {error}"),
            "move it away to start anew, or restore a copy".to_owned(),
        ),
        Err(JournalError::Io(error)) => Bad(
            format!("{}: {error}", path.display()),
            "make it readable, and see that the temporary directory has room for a copy".to_owned(),
        ),
    }
}

fn state(socket: &Socket) -> Found {
    let folder = socket.folder();
    match fs::metadata(folder) {
        Ok(found) if found.is_dir() => Good(format!("{} is there", folder.display())),
        Ok(_) => Bad(
            format!("{} is no directory", folder.display()),
            "move it away, or say --state".to_owned(),
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Good(format!("{} will be made", folder.display()))
        }
        Err(error) => Bad(
            format!("{}: {error}", folder.display()),
            "make it readable, or say --state".to_owned(),
        ),
    }
}
