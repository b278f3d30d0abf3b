//! The log, and how events are told in it.

use alloc::collections::BTreeMap;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::io::{self, Write};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TrySendError, channel, sync_channel,
};
use std::sync::{Mutex, PoisonError};
use std::thread;

use egress_gateway::Event;
use jiff::Timestamp;
use rustix::thread::{CapabilitySet, CapabilitySets};
use tracing_subscriber::filter::LevelFilter;

/// Lines that may wait to be written; further ones are counted and lost.
const WAITING: usize = 8192;
/// How often lost and left-out lines are told at least.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// How long, in turns, the end waits for lines to be written.
const FLUSH_TURN: Duration = Duration::from_millis(10);
const FLUSH_TURNS: u32 = 200;
/// What can be had by the thousand is told so often a second.
const A_SECOND: u32 = 10;

static LOST: AtomicU64 = AtomicU64::new(0);
static FLOODS: Mutex<Floods> = Mutex::new(Floods::new());

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

enum Job {
    Line(Vec<u8>),
    /// Everything before has been written once this is dropped.
    Flush(SyncSender<()>),
}

/// The log; what waits to be written is, when it goes.
#[must_use]
pub(super) struct Log(SyncSender<Job>);

impl Drop for Log {
    fn drop(&mut self) {
        let (written, all) = sync_channel(1);
        let mut job = Job::Flush(written);
        for _ in 0..FLUSH_TURNS {
            match self.0.try_send(job) {
                Ok(()) => {
                    let _ = all.recv_timeout(FLUSH_TURN * FLUSH_TURNS);
                    return;
                }
                Err(TrySendError::Full(back)) => job = back,
                Err(TrySendError::Disconnected(_)) => return,
            }
            pause();
        }
    }
}

fn pause() {
    // Nobody ever sends: only the time passes.
    let (_sender, nothing) = channel::<()>();
    let _ = nothing.recv_timeout(FLUSH_TURN);
}

/// Takes one line of the log; never waits.
struct Line(SyncSender<Job>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.try_send(Job::Line(bytes.to_vec())).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts the log. Whoever reads standard error may be slow: a thread waits for them, and for nobody
/// else.
pub(super) fn start(format: Format) -> io::Result<Log> {
    let (sender, jobs) = sync_channel(WAITING);
    thread::Builder::new()
        .name("log".to_owned())
        .spawn(move || write(&jobs, format, &mut io::stderr()))?;
    let log = Log(sender.clone());
    let builder = tracing_subscriber::fmt()
        .with_writer(move || Line(sender.clone()))
        .with_target(false)
        .with_max_level(LevelFilter::INFO);
    match format {
        Format::Text => builder
            .with_ansi(super::super::render::colour(&io::stderr()))
            .init(),
        Format::Json => builder.json().init(),
    }
    Ok(log)
}

/// Writes lines to whoever reads, until nobody has any more.
fn write(jobs: &Receiver<Job>, format: Format, reader: &mut impl Write) {
    // A thread has its own privileges, and this one needs none.
    let _ = rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        },
    );
    let _ = rustix::thread::set_no_new_privs(true);
    loop {
        let job = jobs.recv_timeout(TOLD_EVERY);
        let flushed = match job {
            Ok(Job::Line(line)) => {
                let _ = reader.write_all(&line);
                None
            }
            Ok(Job::Flush(flushed)) => Some(flushed),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        tell_left_out();
        let lost = LOST.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = reader.write_all(lost_line(lost, format).as_bytes());
        }
        drop(flushed);
    }
}

/// Beside the others: there may be no room among them.
fn lost_line(lost: u64, format: Format) -> String {
    let at = Timestamp::now();
    let told = "lines of the log are missing here: its reader is too slow";
    match format {
        Format::Text => format!("{at:.6}  WARN {lost} {told}\n"),
        Format::Json => format!(
            "{{\"timestamp\":\"{at:.6}\",\"level\":\"WARN\",\"fields\":{{\"message\":\"{lost} {told}\",\"lost\":{lost}}}}}\n"
        ),
    }
}

/// What happens by the thousand, by name: so many a second are told, the others counted.
#[derive(Debug, Default)]
pub(super) struct Floods(BTreeMap<&'static str, Flood>);

#[derive(Debug, Default)]
struct Flood {
    second: i64,
    told: u32,
    more: u64,
}

impl Floods {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Whether one more is told.
    pub(super) fn admits(&mut self, name: &'static str, second: i64) -> bool {
        let flood = self.0.entry(name).or_default();
        if flood.second != second {
            flood.second = second;
            flood.told = 0;
        }
        if flood.told == A_SECOND {
            flood.more += 1;
            return false;
        }
        flood.told += 1;
        true
    }

    /// What was not told in seconds before this one, and how many of it.
    pub(super) fn left_out(&mut self, second: i64) -> Vec<(&'static str, u64)> {
        let over = self.0.iter_mut();
        let over = over.filter(|(_, flood)| flood.more > 0 && flood.second != second);
        over.map(|(name, flood)| (*name, core::mem::take(&mut flood.more)))
            .collect()
    }
}

/// The second that it is.
pub(super) fn second() -> i64 {
    Timestamp::now().as_second()
}

fn tell_left_out() {
    let floods = FLOODS.lock();
    let left_out = floods
        .unwrap_or_else(PoisonError::into_inner)
        .left_out(second());
    for (name, more) in left_out {
        tracing::warn!(more, "{name}: and {more} more");
    }
}

/// What is told so often a second at most, by its reason among the events.
pub(super) const fn flooding(event: &Event) -> Option<&'static str> {
    match event {
        Event::UpstreamFailed { .. } => Some("UpstreamFailed"),
        Event::NoSelfIp { .. } => Some("NoSelfIp"),
        Event::StoreFailed => Some("StoreFailed"),
        Event::NotMapped { .. } => Some("NotMapped"),
        Event::NoSnatAddress { .. } => Some("NoSnatAddress"),
        Event::Exhausted(_) => Some("PortsExhausted"),
        _ => None,
    }
}

/// Tells an event; mappings and flows only if `debug`, flows with `sessions` too.
pub(super) fn tell(event: &Event, debug: bool, sessions: bool) {
    if sessions {
        session(event);
    }
    if matches!(event, Event::NotMapped { .. }) && !debug {
        return;
    }
    if let Some(name) = flooding(event) {
        let mut floods = FLOODS.lock().unwrap_or_else(PoisonError::into_inner);
        if !floods.admits(name, second()) {
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads nothing until it is told to.
    struct Slow {
        began: SyncSender<()>,
        goes_on: Receiver<()>,
        read: Vec<u8>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.read.is_empty() {
                self.began.send(()).unwrap();
                self.goes_on.recv().unwrap();
            }
            self.read.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_is_too_slow_stops_nobody_and_is_told_how_many_lines_it_missed() {
        const MISSED: usize = 1000;
        for format in [Format::Text, Format::Json] {
            let (sender, jobs) = sync_channel(WAITING);
            let ((began, begins), (go, goes_on)) = (sync_channel(1), sync_channel(1));
            let mut reader = Slow {
                began,
                goes_on,
                read: Vec::new(),
            };
            let log = thread::spawn(move || {
                write(&jobs, format, &mut reader);
                reader.read
            });
            let mut line = Line(sender);
            line.write_all(b"first\n").unwrap();
            begins.recv().unwrap();
            // It has the first; so many wait, and none of these writes waits for it.
            for number in 0..WAITING + MISSED {
                line.write_all(format!("line {number}\n").as_bytes())
                    .unwrap();
            }
            go.send(()).unwrap();
            drop(line);
            let read = String::from_utf8(log.join().unwrap()).unwrap();
            let mut lines = read.lines();
            assert_eq!(lines.next(), Some("first"));
            let told = lines.next().unwrap();
            let words = format!("{MISSED} lines of the log are missing here");
            assert!(told.contains(&words), "{told}");
            if format == Format::Json {
                let told: serde_json::Value = serde_json::from_str(told).unwrap();
                assert_eq!(told["fields"]["lost"], MISSED);
            }
            let rest: Vec<String> = lines.map(str::to_owned).collect();
            let kept = (0..WAITING).map(|number| format!("line {number}"));
            assert!(kept.eq(rest), "in order, and told once");
        }
    }

    #[test]
    fn of_a_flood_some_are_told_and_the_others_counted() {
        let mut floods = Floods::new();
        let told = (0..1000)
            .filter(|_| floods.admits("UpstreamFailed", 7))
            .count();
        assert_eq!(told, A_SECOND as usize);
        assert!(floods.admits("NotMapped", 7), "another's flood");
        assert_eq!(floods.left_out(7), [], "the second is not over");
        assert_eq!(floods.left_out(8), [("UpstreamFailed", 990)]);
        assert_eq!(floods.left_out(8), []);
        assert!(floods.admits("UpstreamFailed", 8));
    }
}
