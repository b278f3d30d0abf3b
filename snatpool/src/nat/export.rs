//! Sessions given to another process, so that none breaks when this one ends.

use core::time::Duration;

use super::SnatPool;
use crate::portable::{HEADER, RECORD, Record};
use crate::session::{Session, SessionId};
use crate::time::Ticks;
use crate::tuple::Tuple;

/// How far an export has come: of all sessions by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportCursor {
    next: u32,
    done: bool,
    /// Sessions whose timer started before this moment are left out.
    since: Duration,
}

impl ExportCursor {
    /// For the sessions whose timer a packet started at or after `moment`: those that were opened,
    /// established or kept alive since. The deadlines of the others are as they were then.
    #[must_use]
    pub const fn since(moment: Duration) -> Self {
        Self {
            next: 0,
            done: false,
            since: moment,
        }
    }

    /// Whether every session was written.
    #[must_use]
    pub const fn is_done(self) -> bool {
        self.done
    }
}

impl SnatPool {
    /// The least room that an export needs: a header and one record.
    pub const EXPORT_LEN: usize = HEADER.len() + RECORD;

    /// Writes sessions from where `cursor` stands on, as many as fit, and returns the length. Each
    /// piece stands for itself: [`import`](Self::import) takes them in any order. One call looks at a
    /// 64th of all [`slots`](Self::slots), or at 1,024 if that is more, so that packets need not wait.
    ///
    /// The table may change between two calls, and no event tells of a session that a packet
    /// confirms or keeps alive. Who cannot stop packets for the time hands over in three steps:
    ///
    /// 1. exports all while packets go on, with `began` the `now` of the first call, and from then on
    ///    writes [`export_closed`](Self::export_closed) for every
    ///    [`Event::Closed`](crate::Event::Closed) and, if not much is to be left for the third step,
    ///    [`export_opened`](Self::export_opened) for every [`Event::Opened`](crate::Event::Opened);
    /// 2. stops packets;
    /// 3. exports once more from [`ExportCursor::since(began)`](ExportCursor::since): what was opened,
    ///    answered or kept alive meanwhile. [`import`](Self::import) brings what it has already up to
    ///    date.
    ///
    /// Sequence numbers are not in it: TCP sessions come in as if none had been noted.
    pub fn export(&self, now: Duration, cursor: &mut ExportCursor, out: &mut [u8]) -> usize {
        let mut piece = Piece::new(out);
        let (since, _) = Ticks::around(cursor.since);
        let stop = cursor.next.saturating_add((self.slots() / 64).max(1024));
        while cursor.next < stop {
            if cursor.next >= self.slots() {
                cursor.done = true;
                break;
            }
            if self.started(cursor.next) >= since
                && let Some(session) = self.session(self.table.id(cursor.next))
            {
                let record = self.record_of(now, &session);
                if !piece.put(&record) {
                    break;
                }
            }
            cursor.next += 1;
        }
        piece.finish()
    }

    /// When the timer of a session was started last.
    fn started(&self, slot: u32) -> Ticks {
        self.table
            .hot
            .get(slot as usize)
            .map_or(Ticks::ZERO, |hot| hot.due.minus(self.lifetimes.of(hot)))
    }

    /// Writes one live session, and returns the length: 0 if it has ended, or does not fit
    /// ([`EXPORT_LEN`](Self::EXPORT_LEN)).
    pub fn export_opened(&self, now: Duration, id: SessionId, out: &mut [u8]) -> usize {
        let mut piece = Piece::new(out);
        if let Some(session) = self.session(id) {
            piece.put(&self.record_of(now, &session));
        }
        piece.finish()
    }

    /// Writes that a session ended, given what [`Event::Closed`](crate::Event::Closed) says of it.
    pub fn export_closed(inside: &Tuple, outside: &Tuple, out: &mut [u8]) -> usize {
        let mut piece = Piece::new(out);
        piece.put(&Record {
            state: None,
            pool: 0,
            from_outside: false,
            inside: *inside,
            outside: *outside,
            remaining: Ticks::ZERO,
        });
        piece.finish()
    }

    fn record_of(&self, now: Duration, session: &Session) -> Record {
        let due = Ticks::at_least(session.expires_at);
        let (floor, _) = Ticks::around(now);
        Record {
            state: Some(session.state),
            pool: session.pool.0,
            from_outside: session.from_outside,
            inside: session.inside,
            outside: session.outside,
            remaining: due.minus(self.now.max(floor)),
        }
    }
}

/// A header, if there is anything behind it.
struct Piece<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Piece<'a> {
    fn new(out: &'a mut [u8]) -> Self {
        let header = out.first_chunk_mut::<{ HEADER.len() }>();
        if let Some(place) = header {
            *place = HEADER;
        }
        Self {
            out,
            len: HEADER.len(),
        }
    }

    fn put(&mut self, record: &Record) -> bool {
        let place = self
            .out
            .get_mut(self.len..)
            .and_then(|rest| rest.first_chunk_mut::<RECORD>());
        let Some(place) = place else { return false };
        record.write(place);
        self.len += RECORD;
        true
    }

    const fn finish(self) -> usize {
        if self.len == HEADER.len() {
            0
        } else {
            self.len
        }
    }
}
