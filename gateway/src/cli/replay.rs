//! `replay IN OUT`: what a configuration would do to recorded traffic.

mod offload;
mod reader;

use core::fmt;
use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, BufWriter, StdoutLock, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use egress_config::Plan;
use egress_gateway::sim::{Direction, Frame};
use egress_gateway::store::MemoryStore;
use egress_gateway::{BUFFER, Gateway, Side, Verdict, pcapng};
use nat46::packet::Packet;
use nat46::{HEADROOM, PacketBuf};

use super::plan::{self, Chosen};
use reader::{Reader, Recorded};

/// Send a capture through the gateway, under the capture's own time.
///
/// No root, no device, no network. Queries for names go to no server: what was recorded of those is of
/// another gateway's questions. Exit code 2: the resources or the capture cannot be read.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files or directories with the resources.
    #[arg(long, required = true, value_name = "PATH")]
    config: Vec<PathBuf>,
    /// Which replica, from 0.
    #[arg(long, default_value_t = 0, value_name = "N")]
    replica: u32,
    /// The F5SPKEgress, as name or namespace/name, where there are several.
    #[arg(long, value_name = "NAME")]
    egress: Option<String>,
    /// The capture: pcap or pcapng, of Ethernet, Linux cooked or raw IP.
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// What came and what left, as pcapng: interface `inside` and `outside`.
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// How the side of a packet is known.
    #[arg(long, value_enum, default_value_t = SideBy::Address)]
    side_by: SideBy,
    /// Let an address stand for a host, as ADDRESS=HOST; else mappings are made by the capture's queries
    /// alone.
    #[arg(long, value_name = "ADDRESS=HOST", value_parser = mapping)]
    mapping: Vec<(core::net::Ipv4Addr, core::net::Ipv6Addr)>,
    /// Print what becomes of each packet.
    #[arg(long)]
    explain: bool,
    /// Where random choices start.
    #[arg(long, default_value_t = 7, value_name = "N")]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SideBy {
    /// From inside is what has a source in a subnet of an internal VLAN.
    Address,
    /// From inside is what came by the capture's first interface.
    Interface,
}

fn mapping(text: &str) -> Result<(core::net::Ipv4Addr, core::net::Ipv6Addr), String> {
    let ends = text.split_once('=').and_then(|(address, host)| {
        let address = address.parse().ok()?;
        Some((address, host.parse().ok()?))
    });
    ends.ok_or_else(|| "ADDRESS=HOST was expected, as 10.46.0.5=2001:db8::7".to_owned())
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let chosen = Chosen::of(arguments.replica, arguments.egress.clone());
    let Ok(plans) = plan::read(&arguments.config, &chosen) else {
        return ExitCode::from(2);
    };
    let Some(plan) = plans.first() else {
        return ExitCode::from(2);
    };
    match replay(arguments, plan) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn replay(arguments: &Arguments, plan: &Plan) -> Result<(), Box<dyn core::error::Error>> {
    let named = |path: &PathBuf, error: &dyn fmt::Display| format!("{}: {error}", path.display());
    let input = File::open(&arguments.input).map_err(|error| named(&arguments.input, &error))?;
    let reader = Reader::new(input).map_err(|error| named(&arguments.input, &error))?;
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&arguments.seed.to_le_bytes());
    let mut gateway = Gateway::new(plan, seed)?;
    let taken = gateway.load(Duration::ZERO, arguments.mapping.iter().copied());
    if taken < arguments.mapping.len() {
        return Err("--mapping: an address outside the DNS46 subnet, or one that is taken".into());
    }
    if is_same(&arguments.input, &arguments.output) {
        let output = arguments.output.display();
        return Err(
            format!("{output}: that is the capture itself, which it would overwrite").into(),
        );
    }
    let out = File::create(&arguments.output).map_err(|error| named(&arguments.output, &error))?;
    let mut out = BufWriter::new(out);
    pcapng::begin(&["inside", "outside"], &mut out)?;
    let mut reader = reader;
    let mut replay = Replay {
        gateway,
        store: MemoryStore::default(),
        out,
        bytes: vec![0; BUFFER],
        start: None,
        explain: arguments.explain,
        told: Told::new(),
        counts: Counts::default(),
    };
    let mut broken = None;
    for (number, recorded) in (1..).zip(&mut reader) {
        let recorded = match recorded {
            Ok(recorded) => recorded,
            // What came before counts.
            Err(error) => {
                broken = Some(named(&arguments.input, &error));
                break;
            }
        };
        let side = match arguments.side_by {
            SideBy::Interface if recorded.interface == 0 => Side::Inside,
            SideBy::Interface => Side::Outside,
            SideBy::Address => side_of(plan, &recorded.packet),
        };
        replay.packet(number, side, &recorded)?;
    }
    replay.out.flush()?;
    let Counts {
        packets,
        forwarded,
        answered,
        taken,
        dropped,
        sent,
    } = replay.counts;
    let told = &mut replay.told;
    told.line(format_args!(
        "{packets} packets: {forwarded} forwarded, {answered} answered, {taken} taken in, {dropped} dropped; \
         {sent} sent by the gateway itself"
    ))?;
    if reader.left > 0 {
        told.line(format_args!(
            "  {} passed over: the capture says that its host sent them",
            reader.left
        ))?;
    }
    for (reason, count) in &replay.gateway.stats().drops {
        told.line(format_args!("  {count} dropped: {reason}"))?;
    }
    told.flush()?;
    broken.map_or(Ok(()), |broken| Err(broken.into()))
}

/// Whether both are one file, under whatever names.
fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => {
            one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        _ => false,
    }
}

/// Standard output, until whoever reads it goes away: the rest is still done.
struct Told(Option<BufWriter<StdoutLock<'static>>>);

impl Told {
    fn new() -> Self {
        Self(Some(BufWriter::new(io::stdout().lock())))
    }

    fn line(&mut self, line: fmt::Arguments<'_>) -> io::Result<()> {
        self.with(|out| writeln!(out, "{line}"))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(Write::flush)
    }

    fn with(
        &mut self,
        write: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(out) = &mut self.0 else {
            return Ok(());
        };
        match write(out) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.0 = None;
                Ok(())
            }
            written => written,
        }
    }
}

fn side_of(plan: &Plan, packet: &[u8]) -> Side {
    let source = Packet::parse(packet).map(|packet| packet.source());
    let is_inside =
        source.is_ok_and(|source| plan.inside.iter().any(|network| network.contains(&source)));
    if is_inside {
        Side::Inside
    } else {
        Side::Outside
    }
}

#[derive(Debug, Default)]
struct Counts {
    packets: u64,
    forwarded: u64,
    answered: u64,
    taken: u64,
    dropped: u64,
    sent: u64,
}

struct Replay {
    gateway: Gateway,
    store: MemoryStore,
    out: BufWriter<File>,
    bytes: Vec<u8>,
    /// The moment of the first packet: the gateway's time starts there.
    start: Option<Duration>,
    explain: bool,
    told: Told,
    counts: Counts,
}

impl Replay {
    fn packet(&mut self, number: u64, side: Side, recorded: &Recorded) -> io::Result<()> {
        let start = *self.start.get_or_insert(recorded.at);
        let now = recorded.at.saturating_sub(start);
        self.pass_time(start, now)?;
        self.counts.packets += 1;
        let packet = &recorded.packet;
        let came = ends(packet);
        let frame = frame(recorded.at, side, Direction::Inbound, packet);
        let place = HEADROOM..HEADROOM + packet.len();
        let Some(room) = self.bytes.get_mut(place.clone()) else {
            self.counts.dropped += 1;
            return Ok(());
        };
        room.copy_from_slice(packet);
        let Some(buf) = PacketBuf::new(&mut self.bytes, place) else {
            return Ok(());
        };
        let mut buf = buf.with_offload(offload::of(packet));
        let verdict = self.gateway.handle_packet(now, side, &mut buf);
        let left = match verdict {
            Verdict::Forward => Some((side.opposite(), buf.as_bytes().to_vec())),
            Verdict::Reply => Some((side, buf.as_bytes().to_vec())),
            Verdict::Consumed | Verdict::Drop(_) => None,
        };
        let told = match (&verdict, &left) {
            (Verdict::Forward, Some((_, left))) => format!("forwarded as {}", ends(left)),
            (Verdict::Reply, Some((_, left))) => format!("answered with {}", ends(left)),
            (Verdict::Drop(reason), _) => format!("dropped: {} ({reason:?})", reason.name()),
            _ => "taken in".to_owned(),
        };
        *match verdict {
            Verdict::Forward => &mut self.counts.forwarded,
            Verdict::Reply => &mut self.counts.answered,
            Verdict::Consumed => &mut self.counts.taken,
            Verdict::Drop(_) => &mut self.counts.dropped,
        } += 1;
        pcapng::packet(&frame, Some(&told), &mut self.out)?;
        if self.explain {
            let from = match side {
                Side::Inside => "inside",
                Side::Outside => "outside",
            };
            let seconds = now.as_secs_f64();
            self.told.line(format_args!(
                "{number:6}  {seconds:10.6}  {from:7}  {came}: {told}"
            ))?;
        }
        if let Some((side, left)) = left {
            let frame = self::frame(recorded.at, side, Direction::Outbound, &left);
            pcapng::packet(&frame, None, &mut self.out)?;
        }
        self.turn(recorded.at, now)
    }

    /// Timers that end before `now`, each at its moment.
    fn pass_time(&mut self, start: Duration, now: Duration) -> io::Result<()> {
        for _ in 0..100_000 {
            match self.gateway.poll_timeout() {
                Some(at) if at <= now => {
                    self.gateway.handle_timeout(at);
                    self.turn(start.saturating_add(at), at)?;
                }
                Some(_) | None => break,
            }
        }
        Ok(())
    }

    fn turn(&mut self, at: Duration, now: Duration) -> io::Result<()> {
        loop {
            while let Some(operation) = self.gateway.poll_store() {
                let reply = self.store.apply(now, operation.action);
                self.gateway.handle_store(now, operation.id, reply);
            }
            while self.gateway.poll_event().is_some() {}
            let Some(transmit) = self.gateway.poll_transmit(now, &mut self.bytes) else {
                return Ok(());
            };
            self.counts.sent += 1;
            let sent = self.bytes.get(transmit.range).unwrap_or_default();
            let frame = frame(at, transmit.side, Direction::Outbound, sent);
            pcapng::packet(&frame, Some("sent by the gateway"), &mut self.out)?;
            if self.explain {
                self.told.line(format_args!(
                    "        {:10.6}  gateway  {}",
                    now.as_secs_f64(),
                    ends(sent)
                ))?;
            }
        }
    }
}

fn frame(at: Duration, side: Side, direction: Direction, packet: &[u8]) -> Frame {
    Frame {
        at,
        interface: match side {
            Side::Inside => 0,
            Side::Outside => 1,
        },
        direction,
        bytes: packet.to_vec(),
    }
}

/// Source and destination, with ports where there are any.
fn ends(packet: &[u8]) -> String {
    let Ok(packet) = Packet::parse(packet) else {
        return format!("{} bytes that are no packet", packet.len());
    };
    match packet.tuple() {
        Some(tuple) => format!("{} > {}", tuple.source, tuple.destination),
        None => format!("{} > {}", packet.source(), packet.destination()),
    }
}
