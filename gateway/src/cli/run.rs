//! `run`: the gateway on this host.

pub(crate) mod ask;
pub(crate) mod capture;
mod data;
pub(crate) mod events;
mod log;
mod notify;
mod privileges;
mod reload;
mod sessions;
mod sharing;

use alloc::collections::BTreeMap;
use core::net::SocketAddr;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use egress_config::Plan;
use egress_gateway::{Gateway, Options};

use super::plan::{self, Chosen};
use crate::admin::http;
use crate::admin::server::Admin;
use crate::host::journal::Journal;
use crate::host::network::{Names, Network};
use crate::host::redis::identity::Identity;
use crate::host::sysctl::Settings;
use crate::host::tun::Tun;

/// Route the traffic of this host's pods.
///
/// Makes two TUN devices, leads to them what the resources are about, and takes everything down at
/// SIGTERM or SIGINT; flows go on if it is started again at once. A change of the resources, or SIGHUP,
/// reloads them, and no flow notices. Needs CAP_NET_ADMIN alone. Exit code 2: the resources or the host
/// are not ready for it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files or directories with the resources.
    #[arg(long, required = true, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// Which replica this is, from 0; auto: one that nobody in the store is, a dead one's first.
    #[arg(long, default_value = "0", value_name = "N", value_parser = sharing::number)]
    replica: sharing::Number,
    #[command(flatten)]
    sharing: sharing::Sharing,
    /// The F5SPKEgress, as name or namespace/name, where there are several.
    #[arg(long, value_name = "NAME")]
    egress: Option<String>,
    /// The device of a VLAN's interface, as 1.1=eth1; by default the one with an address in its subnet.
    #[arg(long, value_name = "INTERFACE=DEVICE", value_parser = interface)]
    interface: Vec<(String, String)>,
    /// Where the journal and what is to be put back are kept.
    #[arg(long, default_value = "/var/lib/egress-gateway", value_name = "DIR")]
    state: PathBuf,
    /// Let a change of the resources that drains live mappings happen; else it is refused.
    #[arg(long)]
    drain: bool,
    /// Serve the status page and the API on this loopback address too, as 127.0.0.1:8046.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "http_token", value_parser = http::loopback)]
    http: Option<SocketAddr>,
    /// The file with the token that --http asks for; made, for its owner alone, if there is none.
    #[arg(long, value_name = "FILE")]
    http_token: Option<PathBuf>,
    /// Flows at a time; each takes 160 bytes, from the start.
    #[arg(long, default_value_t = 262_144, value_name = "COUNT")]
    sessions: u32,
    /// A page of HTML that the sorry IP answers with on port 80, where it is routed here.
    #[arg(long, value_name = "FILE")]
    sorry_page: Option<PathBuf>,
    /// How a DNS46 address that stands for nothing answers.
    #[arg(long, value_enum, default_value_t = OnMiss::Unreachable, requires_if("sorry", "sorry_page"))]
    on_miss: OnMiss,
    /// Log every flow's start and end with both its pairs (RFC 6888 REQ-12); `debugLogEnabled` tells of
    /// mappings too.
    #[arg(long)]
    log_sessions: bool,
    /// How the log is written, to standard error.
    #[arg(long, value_enum, default_value_t = log::Format::Text)]
    log: log::Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnMiss {
    /// With the page of --sorry-page on port 80.
    Sorry,
    /// With ICMP host unreachable.
    Unreachable,
}

#[derive(Debug, thiserror::Error)]
#[error("--sorry-page {file}: {error}")]
pub(super) struct OptionsError {
    file: String,
    error: io::Error,
}

pub(super) fn interface(text: &str) -> Result<(String, String), String> {
    let (interface, device) = text
        .split_once('=')
        .ok_or("INTERFACE=DEVICE was expected, as 1.1=eth1")?;
    Ok((interface.to_owned(), device.to_owned()))
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let _log = match log::start(arguments.log) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("error: no thread for the log: {error}");
            return ExitCode::from(2);
        }
    };
    notify::open();
    let mut resources = Resources::of(arguments, 0);
    let identity = match arguments.replica {
        sharing::Number::This(replica) => {
            resources = Resources::of(arguments, replica);
            None
        }
        sharing::Number::Claimed => {
            let Some(location) = &arguments.sharing.store else {
                tracing::error!(
                    "--replica auto needs --store: it is there that numbers are claimed"
                );
                return ExitCode::from(2);
            };
            let Some(plan) = resources.read() else {
                return ExitCode::from(2);
            };
            match sharing::claim(location, &arguments.state, plan.replicas) {
                Ok(identity) => {
                    resources = Resources::of(arguments, identity.replica);
                    Some(identity)
                }
                Err(error) => {
                    tracing::error!("{error}");
                    return ExitCode::from(2);
                }
            }
        }
    };
    let Some(plan) = resources.read() else {
        return ExitCode::from(2);
    };
    match start(&resources, plan, identity) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Where the plan comes from, and what of the host it is carried out on.
pub(super) struct Resources<'a> {
    arguments: &'a Arguments,
    replica: u32,
    names: Names,
    interfaces: BTreeMap<String, String>,
}

impl<'a> Resources<'a> {
    fn of(arguments: &'a Arguments, replica: u32) -> Self {
        Self {
            arguments,
            replica,
            names: Names {
                inside: format!("egress{replica}-in"),
                outside: format!("egress{replica}-out"),
            },
            interfaces: arguments.interface.iter().cloned().collect(),
        }
    }

    /// Its own beside those of other replicas.
    fn file(&self, name: &str) -> PathBuf {
        let name = format!("replica-{}-{name}", self.replica);
        self.arguments.state.join(name)
    }

    /// The plan as the files have it now; `None` if they have errors, which were told.
    fn read(&self) -> Option<Plan> {
        let chosen = Chosen::of(self.replica, self.arguments.egress.clone());
        plan::read(&self.arguments.config, &chosen)
            .ok()?
            .into_iter()
            .next()
    }

    fn paths(&self) -> &[PathBuf] {
        &self.arguments.config
    }

    /// What the command line asks of the gateway.
    fn options(&self) -> Result<Options, OptionsError> {
        let mut options = Options::default();
        options.sessions = Some(self.arguments.sessions);
        options.store_deadline = self.arguments.sharing.patience();
        options.sorry_on_miss = self.arguments.on_miss == OnMiss::Sorry;
        if let Some(file) = &self.arguments.sorry_page {
            let page = std::fs::read(file).map_err(|error| OptionsError {
                file: file.display().to_string(),
                error,
            })?;
            options.sorry_page = Some(page.into());
        }
        Ok(options)
    }

    const fn log_sessions(&self) -> bool {
        self.arguments.log_sessions
    }

    const fn drain(&self) -> bool {
        self.arguments.drain
    }

    const fn names(&self) -> &Names {
        &self.names
    }

    const fn interfaces(&self) -> &BTreeMap<String, String> {
        &self.interfaces
    }
}

fn start(
    resources: &Resources<'_>,
    plan: Plan,
    claimed: Option<Identity>,
) -> Result<(), Box<dyn core::error::Error>> {
    let arguments = resources.arguments;
    // What is kept there is nobody else's business.
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    std::fs::create_dir_all(&arguments.state)
        .map_err(|error| format!("{}: {error}", arguments.state.display()))?;
    let file = |name: &str| resources.file(name);
    // Before any thread starts: what one gives up, the others would keep.
    privileges::drop().map_err(|error| format!("privileges cannot be dropped: {error}"))?;
    let clock = data::Clock::start();
    let journal = Journal::open(&file("mappings.redb"))?;
    let read_in = clock.now();
    let identity = match (claimed, &arguments.sharing.store) {
        (Some(claimed), _) => Some((claimed, true)),
        (None, Some(_)) => Some((Identity::of(&arguments.state, resources.replica)?, false)),
        (None, None) => None,
    };
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| format!("no entropy: {error}"))?;
    let options = resources.options()?;
    let mut gateway = Gateway::with_options(&plan, &options, seed)?;

    let names = resources.names();
    let device = |name: &str| {
        Tun::create(name).map_err(|error| {
            let hint = match error.kind() {
                io::ErrorKind::PermissionDenied => " (CAP_NET_ADMIN is needed)",
                io::ErrorKind::ResourceBusy => " (is this replica running already?)",
                io::ErrorKind::NotFound => " (/dev/net/tun is missing)",
                _ => "",
            };
            format!("TUN device {name}: {error}{hint}")
        })
    };
    let (inside, outside) = (device(&names.inside)?, device(&names.outside)?);
    let admin = Admin::listen(&file("admin.sock"))?;
    if let Some(address) = arguments.http {
        let token = arguments.http_token.as_deref();
        let token = token.ok_or("--http needs --http-token FILE")?;
        admin.listen_http(address, &http::token(token)?)?;
        tracing::info!("status page: http://{address}/ with the token of --http-token");
    }

    // From here on an end takes the host down.
    let signals = data::Signals::take()?;
    let settings = Settings::open(file("host.json"))?;
    let network = Network::set_up(&plan, names, resources.interfaces(), settings)?;

    let start = clock.now();
    let unshared = file("unshared");
    let sharing = (&arguments.sharing, unshared.as_path());
    let opened = sharing::open(start, &mut gateway, &plan, sharing, journal, identity);
    let (stores, taken) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let mut network = network;
            for error in network.take_down() {
                tracing::warn!("not put back: {error}");
            }
            return Err(error);
        }
    };
    let taken_in = clock.now() - start;
    let kept = file("sessions");
    match sessions::restore(&kept, clock.now(), &mut gateway) {
        Ok(None) => {}
        Ok(Some(sessions)) => tracing::info!(
            sessions = sessions.added,
            lost = sessions.foreign + sessions.conflicting + sessions.refused + sessions.damaged,
            "flows of the life before go on"
        ),
        Err(error) => tracing::warn!("{}: {error}; its flows are lost", kept.display()),
    }
    let mut host = data::Host {
        devices: data::Devices { inside, outside },
        network,
        stores,
        admin,
        clock,
        signals,
    };
    let mut events = events::Events::default();
    events.of_resource(&plan.egress, "Added", "added");
    tracing::info!(
        replica = plan.replica,
        mappings = taken,
        journal_read_in = ?read_in,
        taken_in = ?taken_in,
        "ready"
    );
    let served = data::serve(gateway, &mut host, resources, plan, events);
    let stopped = served.and_then(|gateway| {
        notify::tell("STOPPING=1");
        sessions::save(&kept, host.clock.now(), &gateway)
    });
    for error in host.network.take_down() {
        tracing::warn!("not put back: {error}");
    }
    let sessions = stopped?;
    tracing::info!(
        sessions,
        "stopped; the host is as it was, and the flows can go on"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::{Cli, Command};
    use super::*;
    use crate::host::redis::identity::{Identity, IdentityError};

    const UNIT: &str = include_str!("../../../deploy/systemd/egress-gateway@.service");

    /// What an instance of the template runs.
    fn of_unit(instance: &str, state: &str) -> Box<Arguments> {
        let line = UNIT
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart="));
        let line = line.unwrap().replace("%i", instance);
        assert!(!line.contains('%'), "{line}");
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "--state").unwrap() + 1;
        let folder = words[at].strip_prefix("/var/lib/").unwrap();
        assert!(UNIT.contains(&format!("\nStateDirectory={folder}\n")));
        words[at] = state;
        match Cli::try_parse_from(words).unwrap().command {
            Command::Run(arguments) => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn replicas_of_the_systemd_template_share_a_state_directory_undisturbed() {
        let folder = std::env::temp_dir().join(format!("template-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut seen = alloc::collections::BTreeSet::new();
        let mut held = Vec::new();
        for number in [0, 1] {
            let arguments = of_unit(&number.to_string(), &folder.to_string_lossy());
            assert_eq!(arguments.replica, sharing::Number::This(number));
            let resources = Resources::of(&arguments, number);
            let Names { inside, outside } = resources.names();
            assert_eq!(*inside, format!("egress{number}-in"));
            assert_eq!(*outside, format!("egress{number}-out"));
            // Both live at once.
            let journal = resources.file("mappings.redb");
            held.push((
                Journal::open(&journal).unwrap(),
                Identity::of(&folder, number).unwrap(),
            ));
            assert!(matches!(
                Identity::of(&folder, number),
                Err(IdentityError::Locked { .. })
            ));
            assert!(seen.insert(journal));
            assert!(seen.insert(resources.file("unshared")));
        }
        assert_ne!(held[0].1.instance, held[1].1.instance);
        drop(held);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
