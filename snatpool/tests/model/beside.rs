//! Packets that change no flow: errors about one, and later fragments.

use snatpool::{FragmentKey, FragmentVerdict, Piece, Side};

use crate::Run;

impl Run {
    /// RFC 5508 REQ-3 to REQ-6: found by what it quotes, and nothing changes.
    pub(crate) fn error(&mut self, index: usize, side: Side) {
        let Some((index, id)) = self.live(index) else {
            return;
        };
        let flow = &self.model.flows[index];
        let quoted = match side {
            Side::Outside => flow.outside,
            Side::Inside => flow.inside.reversed(),
        };
        let before = self.nat.session(id);
        assert_eq!(self.nat.quoted(side, &quoted), Some(id));
        assert_eq!(self.nat.session(id), before);
    }

    pub(crate) fn fragment(&mut self, index: usize, early: bool, orphan: bool) {
        let Some((index, id)) = self.live(index) else {
            return;
        };
        self.count += 1;
        let inside = self.model.flows[index].inside;
        let key = FragmentKey {
            side: Side::Inside,
            source: inside.source.address,
            destination: inside.destination.address,
            protocol: 17,
            identification: self.count,
        };
        let first = Piece {
            offset: 0,
            length: 1280,
            more: true,
        };
        let last = Piece {
            offset: 1280,
            length: 100,
            more: false,
        };
        let now = self.at();
        let passes = FragmentVerdict::Session(id);
        if !early {
            assert_eq!(self.nat.first_fragment(now, &key, first, id), passes);
            assert_eq!(self.nat.later_fragment(now, &key, last), passes);
            return;
        }
        let FragmentVerdict::Hold(ticket) = self.nat.later_fragment(now, &key, last) else {
            panic!("not held");
        };
        if orphan {
            self.tickets.push((ticket, self.now + 2));
            return;
        }
        assert_eq!(self.nat.first_fragment(now, &key, first, id), passes);
        self.events(None);
        assert_eq!(self.released.pop(), Some((ticket, id)));
    }
}
