//! What outlives a gateway: flows, mappings and answers, given to its successor.
//!
//! A successor in this process ([`Gateway::take_over`]) makes a reload that no flow notices; one in
//! another process gets the sessions as bytes.

use core::time::Duration;

use dns46::State;
use dnscache::{DumpCursor, Resolver};
use snatpool::{ExportCursor, ImportError, Imported};

use crate::Gateway;

/// Bytes of sessions or answers that are passed on at once.
const PIECE: usize = 1 << 17;

/// What a gateway took over from the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TakenOver {
    /// Mappings that stand for the same hosts as before.
    pub mappings: usize,
    /// Mappings whose addresses are not in the new subnet.
    pub mappings_lost: usize,
    /// Flows that go on.
    pub sessions: u64,
    /// Flows that end here: their SNAT address is none any more, or a limit is lower.
    pub sessions_lost: u64,
    /// Cached answers.
    pub answers: u64,
}

impl Gateway {
    /// Writes sessions from where `cursor` stands on, as many as fit, and returns the length; see
    /// [`SnatPool::export`](snatpool::SnatPool::export).
    pub fn export_sessions(
        &self,
        now: Duration,
        cursor: &mut ExportCursor,
        out: &mut [u8],
    ) -> usize {
        self.snat.export(now, cursor, out)
    }

    /// Takes in a piece of such an export, after the mappings. Nothing is told of what opens.
    ///
    /// # Errors
    ///
    /// If the bytes are no export. Nothing was taken.
    pub fn import_sessions(
        &mut self,
        now: Duration,
        bytes: &[u8],
    ) -> Result<Imported, ImportError> {
        self.now = now;
        let told = self.events.len();
        let stats = self.stats.clone();
        let imported = self.snat.import(now, bytes);
        self.turn(now);
        // They were opened, and counted, in the life before.
        self.events.truncate(told);
        self.stats = stats;
        imported
    }

    /// Takes over from `former`, which carried out another plan until now: mappings, flows, cached
    /// answers, counters. Nothing may wait for the store of `former`; queries and packets that wait
    /// in it are lost, and repeated by whoever sent them.
    pub fn take_over(&mut self, now: Duration, former: &Self) -> TakenOver {
        let mut taken = TakenOver::default();
        let (mut kept, mut resting, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for mapping in former.mappings() {
            let list = match mapping.state {
                State::Quarantine => &mut resting,
                State::Tentative if !mapping.stored => &mut known,
                State::Tentative | State::Live | State::Static => &mut kept,
            };
            list.push((mapping.address, mapping.host));
        }
        taken.mappings = self.load(now, kept.iter().copied());
        taken.mappings_lost = kept.len() - taken.mappings;
        for (address, host) in known {
            let _ = self.dns46.learn(now, address, Some(host));
        }
        // An address that rests must not stand for another host at once: it rests anew.
        self.load(now, resting.iter().copied());
        for (address, _) in resting {
            self.remove_mapping(now, address);
        }

        let mut piece = vec![0; PIECE];
        let mut cursor = ExportCursor::default();
        while !cursor.is_done() {
            let length = former.export_sessions(now, &mut cursor, &mut piece);
            if let Ok(imported) = self.import_sessions(now, &piece[..length]) {
                taken.sessions += imported.added;
                taken.sessions_lost += imported.foreign + imported.conflicting + imported.refused;
            }
        }
        if let (Some(resolver), Some(of)) = (&mut self.resolver, &former.resolver) {
            taken.answers = copy(now, of, resolver, &mut piece);
            resolver.continue_counters(of);
        }
        // Counters only grow, whatever is reloaded.
        self.snat.continue_counters(&former.snat);
        self.stats = former.stats.clone();
        self.events.clone_from(&former.events);
        taken
    }
}

fn copy(now: Duration, from: &Resolver, to: &mut Resolver, piece: &mut [u8]) -> u64 {
    let mut cursor = DumpCursor::default();
    let mut answers = 0;
    while !cursor.is_done() {
        let length = from.dump(now, &mut cursor, piece);
        let loaded = to.load(now, Duration::ZERO, &piece[..length]);
        answers += loaded.map_or(0, |loaded| loaded.added);
    }
    answers
}
