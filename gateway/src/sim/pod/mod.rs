use core::time::Duration;

mod errand;
mod fetch;
mod log;
mod lookup;
mod probe;

pub use errand::{Act, Errand, Target, Transport};
pub use log::{Entry, Event, Failure};

use self::fetch::Fetch;
use self::log::Log;
use self::lookup::Lookup;
use self::probe::Probe;
use super::{App, Parsed, Stack};

/// A pod's program: it runs its errands one after the other, tries each as often as it may, and
/// writes down all that it sees.
#[derive(Debug)]
pub struct Pod {
    errands: Vec<Errand>,
    current: usize,
    attempts: u32,
    stage: Stage,
    log: Log,
    outcomes: Vec<Result<(), Failure>>,
}

/// Where an errand stands.
#[derive(Debug)]
enum Stage {
    Waiting(Duration),
    Lookup(Lookup),
    Fetch(Fetch),
    Probe(Probe),
    Done,
}

/// Where a part of an errand stands.
enum Progress<T> {
    Pending,
    Ended(Result<T, Failure>),
}

impl Pod {
    /// A pod with these errands.
    #[must_use]
    pub fn new(errands: Vec<Errand>) -> Self {
        let stage = errands
            .first()
            .map_or(Stage::Done, |first| Stage::Waiting(first.start_at));
        Self {
            errands,
            current: 0,
            attempts: 0,
            stage,
            log: Log::default(),
            outcomes: Vec::new(),
        }
    }

    /// Whether no errand is left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// Whether no errand is left and none failed.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.is_done() && self.outcomes.iter().all(Result::is_ok)
    }

    /// How each errand that is over ended.
    pub fn outcomes(&self) -> &[Result<(), Failure>] {
        &self.outcomes
    }

    /// All that the pod saw, oldest first.
    #[must_use]
    pub fn log(&self) -> &[Entry] {
        &self.log.entries
    }

    fn start(&mut self, now: Duration, stack: &mut Stack) {
        let Some(errand) = self.errands.get(self.current) else {
            self.stage = Stage::Done;
            return;
        };
        self.attempts += 1;
        self.log.errand = self.current;
        match &errand.target {
            Target::Name { .. } => {
                self.stage = Stage::Lookup(Lookup::new(&errand.target, now, stack));
            }
            Target::Address(address) => self.act(now, *address, stack),
        }
    }

    fn act(&mut self, now: Duration, address: core::net::IpAddr, stack: &mut Stack) {
        let Some(errand) = self.errands.get(self.current) else {
            return;
        };
        match errand.act {
            Act::Resolve => self.end(now, Ok(())),
            Act::Fetch { port, page } => {
                let host = errand.target.host();
                match Fetch::new(
                    now,
                    (address, port).into(),
                    host,
                    page,
                    stack,
                    &mut self.log,
                ) {
                    Ok(fetch) => self.stage = Stage::Fetch(fetch),
                    Err(failure) => self.end(now, Err(failure)),
                }
            }
            Act::Echo { .. } | Act::Ping { .. } | Act::Trace { .. } => {
                match Probe::new(now, address, errand.act, stack) {
                    Ok(probe) => self.stage = Stage::Probe(probe),
                    Err(failure) => self.end(now, Err(failure)),
                }
            }
        }
    }

    fn only_resolves(&self) -> bool {
        let errand = self.errands.get(self.current);
        errand.is_some_and(|errand| errand.act == Act::Resolve)
    }

    /// An attempt is over: the next one, or the next errand.
    fn end(&mut self, now: Duration, outcome: Result<(), Failure>) {
        if let Err(failure) = outcome {
            self.log.note(now, Event::Failed(failure));
        }
        let errand = self.errands.get(self.current);
        if outcome.is_err() && errand.is_some_and(|errand| self.attempts < errand.attempts) {
            self.stage = Stage::Waiting(now + Errand::PAUSE);
            return;
        }
        if outcome.is_ok() {
            self.log.note(now, Event::Done);
        }
        self.outcomes.push(outcome);
        self.current += 1;
        self.attempts = 0;
        let next = self.errands.get(self.current);
        self.stage = next.map_or(Stage::Done, |next| Stage::Waiting(next.start_at));
    }
}

impl App for Pod {
    fn poll(&mut self, now: Duration, stack: &mut Stack) {
        loop {
            match &mut self.stage {
                Stage::Waiting(at) if *at <= now => self.start(now, stack),
                Stage::Lookup(lookup) => match lookup.poll(now, stack, &mut self.log) {
                    Progress::Ended(Ok(address)) => self.act(now, address, stack),
                    // An answer without an address is one.
                    Progress::Ended(Err(Failure::NoAddress)) if self.only_resolves() => {
                        self.end(now, Ok(()));
                    }
                    Progress::Ended(Err(failure)) => self.end(now, Err(failure)),
                    Progress::Pending => return,
                },
                Stage::Fetch(fetch) => match fetch.poll(now, stack, &mut self.log) {
                    Progress::Ended(outcome) => self.end(now, outcome),
                    Progress::Pending => return,
                },
                Stage::Probe(probe) => match probe.poll(now, stack, &mut self.log) {
                    Progress::Ended(outcome) => self.end(now, outcome),
                    Progress::Pending => return,
                },
                Stage::Waiting(_) | Stage::Done => return,
            }
        }
    }

    fn poll_timeout(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Waiting(at) => Some(*at),
            Stage::Lookup(lookup) => lookup.poll_timeout(),
            Stage::Fetch(fetch) => fetch.poll_timeout(),
            Stage::Probe(probe) => probe.poll_timeout(),
            Stage::Done => None,
        }
    }

    fn handle_icmp(&mut self, now: Duration, message: &Parsed) {
        self.log.icmp(now, message);
        match &mut self.stage {
            Stage::Fetch(fetch) => fetch.handle_icmp(message),
            Stage::Probe(probe) => probe.handle_icmp(now, message),
            Stage::Waiting(_) | Stage::Lookup(_) | Stage::Done => {}
        }
    }

    fn waits_for(&self) -> String {
        let errand = self.current;
        match &self.stage {
            Stage::Waiting(at) => format!("{at:?} to start errand {errand}"),
            Stage::Lookup(_) => format!("an answer from DNS (errand {errand})"),
            Stage::Fetch(fetch) => format!("{} (errand {errand})", fetch.waits_for()),
            Stage::Probe(_) => format!("an echo (errand {errand})"),
            Stage::Done => String::from("nothing"),
        }
    }
}
