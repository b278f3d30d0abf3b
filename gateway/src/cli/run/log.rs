//! The log, and how events are told in it.

use egress_gateway::Event;
use tracing_subscriber::filter::LevelFilter;

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

pub(super) fn start(format: Format) {
    let builder = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_max_level(LevelFilter::INFO);
    match format {
        Format::Text => builder
            .with_ansi(super::super::render::colour(&std::io::stderr()))
            .init(),
        Format::Json => builder.json().init(),
    }
}

/// Tells an event; mappings and flows only if `debug`, flows with `sessions` too.
pub(super) fn tell(event: &Event, debug: bool, sessions: bool) {
    if sessions {
        session(event);
    }
    match event {
        Event::UpstreamFailed { question } => {
            tracing::warn!(name = %question.name, "no name server answered");
        }
        Event::NoSelfIp { server } => {
            tracing::warn!(%server, "no self IP of the server's family");
        }
        Event::StoreFailed => {
            tracing::error!("a mapping could not be kept; its answer was SERVFAIL")
        }
        Event::NoSnatAddress { client, peer } => {
            tracing::warn!(%client, %peer, "no SNAT address of the family that the flow leaves in");
        }
        Event::Exhausted(exhausted) => tracing::error!("{exhausted}"),
        Event::Mapped {
            address,
            host,
            asker: Some(asker),
        } if debug => {
            let (client, name) = (asker.client, &asker.name);
            tracing::info!(%client, name, "[dns46]({client}) New DNS46 entry: {address} => {host}");
            tracing::info!(%client, name, "[dns46]({client}) added {address} into A response for {name}");
        }
        Event::Mapped { address, host, .. } if debug => {
            tracing::info!(%address, %host, "[dns46] New DNS46 entry: {address} => {host}");
        }
        Event::Promoted {
            address,
            host,
            asker,
        } if debug => {
            let name = asker.as_ref().map_or("", |asker| &asker.name);
            tracing::info!(%address, %host, name, "[dns46] DNS46 entry in use: {address} => {host}");
        }
        Event::Freed { address, host } if debug => {
            tracing::info!(%address, %host, "[dns46] DNS46 entry freed: {address} was {host}");
        }
        Event::NotMapped {
            asker,
            why,
            is_sorry,
        } if debug => {
            let (client, name) = (asker.client, &asker.name);
            let answered = if *is_sorry { "Sorry IP" } else { "SERVFAIL" };
            tracing::warn!(%client, name, "[dns46]({client}) {why}: {answered} for {name}");
        }
        Event::Unmapped { address, host } if debug => {
            tracing::info!(%address, %host, "[dns46] DNS46 entry ended: {address} => {host}");
        }
        Event::Opened {
            inside, outside, ..
        } if debug => tracing::info!(
            "[nat46] NAT Added Src {{{} => {}}} , Dst{{{} => {}}}",
            inside.source,
            outside.source,
            inside.destination,
            outside.destination
        ),
        _ => {}
    }
}

/// A flow's start or end, with what an operator needs to tell whose it was (RFC 6888 §4, RFC 8158 §3).
fn session(event: &Event) {
    match event {
        Event::Opened {
            inside, outside, ..
        } => tracing::info!(
            protocol = ?inside.protocol,
            client = %inside.source,
            destination = %inside.destination,
            snat = %outside.source,
            peer = %outside.destination,
            "session opened"
        ),
        Event::Closed {
            inside,
            outside,
            why,
            ..
        } => tracing::info!(
            protocol = ?inside.protocol,
            client = %inside.source,
            destination = %inside.destination,
            snat = %outside.source,
            peer = %outside.destination,
            why = ?why,
            "session closed"
        ),
        _ => {}
    }
}
