//! `run`: the gateway on this host.

mod data;
mod log;

use alloc::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use egress_config::Plan;
use egress_gateway::Gateway;

use super::plan::{self, Chosen};
use crate::admin::server::Admin;
use crate::host::journal::Journal;
use crate::host::network::{Names, Network};
use crate::host::sysctl::Settings;
use crate::host::tun::Tun;

/// Route the traffic of this host's pods.
///
/// Makes two TUN devices, leads to them what the resources are about, and takes everything down at
/// SIGTERM or SIGINT. Needs CAP_NET_ADMIN. Exit code 2: the resources or the host are not ready for it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files or directories with the resources.
    #[arg(long, required = true, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// Which replica this is, from 0.
    #[arg(long, default_value_t = 0, value_name = "N")]
    replica: u32,
    /// The F5SPKEgress, as name or namespace/name, where there are several.
    #[arg(long, value_name = "NAME")]
    egress: Option<String>,
    /// The device of a VLAN's interface, as 1.1=eth1; by default the one with an address in its subnet.
    #[arg(long, value_name = "INTERFACE=DEVICE", value_parser = interface)]
    interface: Vec<(String, String)>,
    /// Where the journal and what is to be put back are kept.
    #[arg(long, default_value = "/var/lib/egress-gateway", value_name = "DIR")]
    state: PathBuf,
    /// How the log is written, to standard error.
    #[arg(long, value_enum, default_value_t = log::Format::Text)]
    log: log::Format,
}

fn interface(text: &str) -> Result<(String, String), String> {
    let (interface, device) = text
        .split_once('=')
        .ok_or("INTERFACE=DEVICE was expected, as 1.1=eth1")?;
    Ok((interface.to_owned(), device.to_owned()))
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    log::start(arguments.log);
    let chosen = Chosen::of(arguments.replica, arguments.egress.clone());
    let Ok(plans) = plan::read(&arguments.config, &chosen) else {
        return ExitCode::from(2);
    };
    let Some(plan) = plans.first() else {
        return ExitCode::from(2);
    };
    match start(arguments, plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(2)
        }
    }
}

fn start(arguments: &Arguments, plan: &Plan) -> Result<(), Box<dyn core::error::Error>> {
    std::fs::create_dir_all(&arguments.state)
        .map_err(|error| format!("{}: {error}", arguments.state.display()))?;
    let file = |name: &str| {
        let replica = arguments.replica;
        arguments.state.join(format!("replica-{replica}-{name}"))
    };
    let (journal, held) = Journal::open(&file("mappings.redb"))?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| format!("no entropy: {error}"))?;
    let mut gateway = Gateway::new(plan, seed)?;

    let names = Names {
        inside: format!("egress{}-in", arguments.replica),
        outside: format!("egress{}-out", arguments.replica),
    };
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
    let settings = Settings::open(file("host.json"))?;
    let interfaces: BTreeMap<String, String> = arguments.interface.iter().cloned().collect();
    let mut network = Network::set_up(plan, &names, &interfaces, settings)?;

    let admin = Admin::listen(&file("admin.sock"))?;
    let devices = data::Devices { inside, outside };
    let clock = data::Clock::start();
    let taken = gateway.load(clock.now(), held);
    tracing::info!(
        egress = plan.egress,
        replica = plan.replica,
        mappings = taken,
        "F5SPKEgress {} was added",
        plan.egress
    );
    let served = data::serve(gateway, &devices, &journal, &admin, &clock, plan);
    for error in network.take_down() {
        tracing::warn!("not put back: {error}");
    }
    served?;
    tracing::info!("stopped; the host is as it was");
    Ok(())
}
