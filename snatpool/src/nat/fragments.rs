//! Fragments of packets of known flows.

use core::time::Duration;

use super::SnatPool;
use crate::fragment::{FragmentKey, FragmentRefused, FragmentVerdict, Piece};
use crate::session::SessionId;

impl SnatPool {
    /// The first fragment of a datagram, whose `session` the caller has looked up or opened by the
    /// ports in it. Fragments of the datagram that came before are named by
    /// [`Event::Release`](crate::Event::Release), in the order in which they came.
    pub fn first_fragment(
        &mut self,
        now: Duration,
        key: &FragmentKey,
        piece: Piece,
        session: SessionId,
    ) -> FragmentVerdict {
        self.clock(now);
        if self.table.live(session).is_none() {
            return FragmentVerdict::Refused(FragmentRefused::Closed);
        }
        if piece.offset != 0 {
            return FragmentVerdict::Refused(FragmentRefused::Length);
        }
        self.fragments
            .first(&self.keys, self.now, key, piece, session)
    }

    /// A fragment that is not the first. It neither opens a session nor refreshes one.
    pub fn later_fragment(
        &mut self,
        now: Duration,
        key: &FragmentKey,
        piece: Piece,
    ) -> FragmentVerdict {
        self.clock(now);
        if piece.offset == 0 {
            return FragmentVerdict::Refused(FragmentRefused::Length);
        }
        match self.fragments.later(&self.keys, self.now, key, piece) {
            FragmentVerdict::Session(session) if self.table.live(session).is_none() => {
                FragmentVerdict::Refused(FragmentRefused::Closed)
            }
            verdict => verdict,
        }
    }
}
