//! `demo`: the main story and every other way, on a simulated network.

mod acts;
mod print;

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use egress_config::Plan;
use egress_gateway::pcapng;
use egress_gateway::sim::{Capture, Frame};
use egress_gateway::story::{self, Fault, Report, Script, Story, Tour};

use super::plan::{self, Chosen};
use super::render;

use acts::Act;

/// Two IPv4-only pods fetch pages from IPv6-only web servers, and every other way through the gateway.
///
/// No root, no network, no set-up: the network is simulated, time is virtual, and all chance follows
/// from the seed. The first act is the main story; the others show the other ways.
/// Exit code 0: everything succeeded; 1: something did not, and its stage is named;
/// 2: the resources have errors, or no DNS46.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write the packets of both sides, for Wireshark.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Play one act only.
    #[arg(long, value_name = "NAME", value_enum)]
    act: Option<Act>,
    /// Play the main story under these resources instead of the samples.
    #[arg(long, value_name = "DIR", conflicts_with = "act")]
    config: Option<PathBuf>,
    /// Other seeds give other ports, identifiers and addresses.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Break something in the main story, to see how it fails.
    #[arg(long = "break", value_name = "WHAT", value_parser = fault)]
    fault: Option<Fault>,
}

/// All that was played.
struct Played {
    /// The main story, and the plan that it was played under.
    story: Option<(Plan, Report)>,
    tours: Vec<(Act, Tour)>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let played = match play(arguments) {
        Ok(played) => played,
        Err(code) => return code,
    };
    // Before anything is printed: a reader that closes early must not cost the file.
    if let Some(path) = &arguments.pcap
        && let Err(error) = played.write_pcap(path)
    {
        eprintln!("error: {}: {error}", path.display());
        return ExitCode::from(2);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    // A reader that has gone away wants no more.
    let _ = if arguments.json {
        print::json(&mut out, arguments.seed, &played)
    } else {
        let colour = render::colour(&io::stdout());
        print::text(&mut out, arguments.seed, &played, colour)
    };
    let _ = out.flush();
    match played.failed() {
        Some(why) => {
            eprintln!("error: {why}");
            ExitCode::from(1)
        }
        None => ExitCode::SUCCESS,
    }
}

fn play(arguments: &Arguments) -> Result<Played, ExitCode> {
    let has_story = arguments.act.is_none_or(|act| act == Act::DnsNat46);
    let story = if has_story {
        let plan = match &arguments.config {
            Some(folder) => own_plan(folder)?,
            None => Act::DnsNat46.plan()?,
        };
        let script = Script {
            seed: arguments.seed,
            fault: arguments.fault,
            ..Script::default()
        };
        let story = Story::new(&plan, script).map_err(|error| tell(&error, 2))?;
        let report = story.run().map_err(|error| tell(&error, 1))?;
        Some((plan, report))
    } else {
        None
    };
    let alone = arguments.config.is_some() || arguments.fault.is_some();
    let acts = Act::ALL
        .into_iter()
        .filter(|act| !alone && arguments.act.is_none_or(|chosen| chosen == *act));
    let mut tours = Vec::new();
    for (place, act) in (1_u64..).zip(acts) {
        // One capture holds them all, and ports that come again would confuse its readers.
        let seed = arguments.seed.rotate_left(16) ^ place;
        let tour = Tour::play(&act.plan()?, seed);
        let tour = tour.map_err(|error| tell(&error, 2))?;
        tours.push((act, tour.map_err(|error| tell(&error, 1))?));
    }
    Ok(Played { story, tours })
}

fn tell(error: &dyn core::error::Error, code: u8) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(code)
}

/// The plan of replica 0; what is wrong with the resources goes to standard error.
fn own_plan(folder: &Path) -> Result<Plan, ExitCode> {
    let plans = plan::read(&[folder.to_owned()], &Chosen::replica(0));
    let plans = plans.map_err(|_told| ExitCode::from(2))?;
    plans.into_iter().next().ok_or_else(|| ExitCode::from(2))
}

fn fault(name: &str) -> Result<Fault, String> {
    let known = Fault::ALL.iter().find(|fault| fault.name() == name);
    known.copied().ok_or_else(|| {
        let names = Fault::ALL.map(Fault::name).join(", ");
        format!("one of {names} was expected")
    })
}

impl Played {
    /// What failed first, and why.
    fn failed(&self) -> Option<String> {
        let story = self.story.iter().filter_map(|(_, report)| report.failed());
        let story = story.map(|(stage, why)| {
            let stage = stage.name();
            format!("the story failed at stage `{stage}`: {why}")
        });
        let tours = self.tours.iter().filter_map(|(act, tour)| {
            let (title, why) = tour.failed()?;
            Some(format!("act {} failed at `{title}`: {why}", act.name()))
        });
        story.chain(tours).next()
    }

    /// Captures with their mappings and lengths.
    fn parts(&self) -> impl Iterator<Item = (&Capture, &[(Ipv4Addr, Ipv6Addr)], Duration)> {
        let story = self
            .story
            .iter()
            .map(|(_, report)| (&report.capture, report.mapped.as_slice(), report.ended_at));
        let tours = self
            .tours
            .iter()
            .map(|(_, tour)| (&tour.capture, tour.mapped.as_slice(), tour.ended_at));
        story.chain(tours)
    }

    /// Packets and virtual time in all.
    fn size(&self) -> (usize, Duration) {
        self.parts().fold(
            (0, Duration::ZERO),
            |(packets, time), (capture, _, length)| (packets + capture.frames.len(), time + length),
        )
    }

    /// Writes all parts, one after the other.
    fn write_pcap(&self, path: &Path) -> io::Result<()> {
        let mut whole = Capture::default();
        let mut comments = Vec::new();
        let mut start = Duration::ZERO;
        for (capture, mapped, length) in self.parts() {
            whole.interfaces.clone_from(&capture.interfaces);
            for frame in &capture.frames {
                comments.push(story::comment(mapped, frame));
                whole.frames.push(Frame {
                    at: start + frame.at,
                    ..frame.clone()
                });
            }
            start += length;
        }
        let mut comments = comments.into_iter();
        let file = BufWriter::new(File::create(path)?);
        pcapng::write(&whole, |_| comments.next().flatten(), file)
    }
}
