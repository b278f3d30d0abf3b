//! `demo`: the main story, on a simulated network.

mod print;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use egress_config::{Plan, Sources};
use egress_gateway::pcapng;
use egress_gateway::story::{Fault, Report, Script, Story};

use super::plan::{self, Chosen};
use super::render::{self, Format};

/// Two IPv4-only pods fetch pages from IPv6-only web servers, on a simulated network.
///
/// No root, no network, no set-up: time is virtual, and all chance follows from the seed.
/// Exit code 0: every exchange of the story succeeded; 1: one did not, and its stage is named;
/// 2: the resources have errors, or no DNS46.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write the packets of both sides, for Wireshark.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Play under these resources instead of the sample.
    #[arg(long, value_name = "DIR")]
    config: Option<PathBuf>,
    /// Other seeds give other ports, identifiers and addresses.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Break something, to see how the story fails.
    #[arg(long = "break", value_name = "WHAT", value_parser = fault)]
    fault: Option<Fault>,
}

/// The sample that the story is told with, as it stands in `samples/sets/dns-nat46`.
const SAMPLE: [(&str, &str); 4] = [
    (
        "dnscache.yaml",
        include_str!("../../samples/sets/dns-nat46/dnscache.yaml"),
    ),
    (
        "egress.yaml",
        include_str!("../../samples/sets/dns-nat46/egress.yaml"),
    ),
    (
        "snatpool.yaml",
        include_str!("../../samples/sets/dns-nat46/snatpool.yaml"),
    ),
    (
        "vlans.yaml",
        include_str!("../../samples/sets/dns-nat46/vlans.yaml"),
    ),
];

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let Some(plan) = resources(arguments.config.as_deref()) else {
        return ExitCode::from(2);
    };
    let script = Script {
        seed: arguments.seed,
        fault: arguments.fault,
        ..Script::default()
    };
    let story = match Story::new(&plan, script) {
        Ok(story) => story,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let report = match story.run() {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(1);
        }
    };
    // Before anything is printed: a reader that closes early must not cost the file.
    if let Some(path) = &arguments.pcap
        && let Err(error) = write_pcap(&report, path)
    {
        eprintln!("error: {}: {error}", path.display());
        return ExitCode::from(2);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    // A reader that has gone away wants no more.
    let _ = if arguments.json {
        print::json(&mut out, &plan, arguments.seed, &report)
    } else {
        let colour = render::colour(&io::stdout());
        print::text(&mut out, &plan, arguments.seed, &report, colour)
    };
    let _ = out.flush();
    if let Some((stage, why)) = report.failed() {
        eprintln!("error: the story failed at stage `{}`: {why}", stage.name());
        return ExitCode::from(1);
    }
    ExitCode::SUCCESS
}

fn fault(name: &str) -> Result<Fault, String> {
    let known = Fault::ALL.iter().find(|fault| fault.name() == name);
    known.copied().ok_or_else(|| {
        let names = Fault::ALL.map(Fault::name).join(", ");
        format!("one of {names} was expected")
    })
}

/// The plan of replica 0; what is wrong with the resources goes to standard error.
fn resources(folder: Option<&Path>) -> Option<Plan> {
    if let Some(folder) = folder {
        let plans = plan::read(&[folder.to_owned()], &Chosen::replica(0)).ok()?;
        return plans.into_iter().next();
    }
    let mut sources = Sources::new();
    for (name, text) in SAMPLE {
        sources.add(name, text.to_owned());
    }
    let checked = egress_config::check(&sources);
    checked
        .plan(0)
        .inspect_err(|error| {
            let mut err = io::stderr().lock();
            let findings = checked.diagnostics();
            let _ = render::findings(&mut err, &sources, findings, Format::Text, false);
            let _ = writeln!(err, "error: {error}");
        })
        .ok()
}

fn write_pcap(report: &Report, path: &Path) -> io::Result<()> {
    let file = BufWriter::new(File::create(path)?);
    pcapng::write(&report.capture, |frame| report.comment(frame), file)
}
