//! The TCP state machine: RFC 6146 §3.5.2.2, with RFC 7857 §2 for RST and closing.

use crate::lifetime::State;
use crate::tuple::{Side, TcpFlags};

/// What a segment does to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) state: State,
    /// Whether the timer starts anew.
    pub(crate) refresh: bool,
}

/// What of a segment matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    Syn,
    Fin,
    Rst,
    Other,
}

/// The step for a segment from `side`. `newer` says whether its sequence number lies beyond what
/// the session noted at that side's FIN, so that a SYN cannot be an old duplicate (RFC 6191 §2);
/// `from_outside`, whether the peer opened the session.
pub(crate) const fn step(
    state: State,
    side: Side,
    flags: TcpFlags,
    newer: bool,
    from_outside: bool,
) -> Step {
    use Side::{Inside, Outside};
    use State::{
        BothFin, Confirmed, Established, InFin, InInit, OutFin, OutInit, Rejected, Reopening,
        Transitory, Unconfirmed,
    };
    let segment = if flags.contains(TcpFlags::RST) {
        Segment::Rst
    } else if flags.contains(TcpFlags::SYN) {
        Segment::Syn
    } else if flags.contains(TcpFlags::FIN) {
        Segment::Fin
    } else {
        Segment::Other
    };
    match (state, segment, side) {
        (InInit | Rejected, Segment::Syn, Inside) => refresh(InInit),
        (InInit | Rejected, Segment::Syn, Outside) => refresh(Established),
        // The port is kept for 4 minutes from the SYN, but is the first to be given up.
        (InInit, Segment::Rst, Outside) => keep(Rejected),
        (InInit | Rejected, Segment::Fin | Segment::Rst | Segment::Other, _) => keep(state),

        (OutInit, Segment::Syn, Inside) => refresh(Established),
        (OutInit, _, _) => keep(OutInit),

        (Established | InFin | OutFin, Segment::Rst, _) => refresh(Transitory),
        (Established, Segment::Fin, Inside) => keep(InFin),
        (Established, Segment::Fin, Outside) => keep(OutFin),
        (InFin, Segment::Fin, Outside) | (OutFin, Segment::Fin, Inside) => refresh(BothFin),
        (Established | InFin | OutFin, Segment::Syn | Segment::Fin | Segment::Other, _) => {
            refresh(state)
        }

        (BothFin | Reopening, Segment::Syn, Inside) if !flags.contains(TcpFlags::ACK) => {
            // Where the peer opened, the client has sent no such SYN before.
            if newer || from_outside {
                refresh(InInit)
            } else {
                keep(Reopening)
            }
        }
        // A peer may reopen what it opened, but it is the client's answer that counts: nobody
        // outside keeps a port for longer by SYNs alone.
        (BothFin | Reopening, Segment::Syn, Outside) if from_outside => {
            if flags.contains(TcpFlags::ACK) {
                keep(state)
            } else {
                keep(Reopening)
            }
        }
        (Reopening, Segment::Syn, Inside) if from_outside => refresh(Established),
        // The peer took the SYN that looked old.
        (Reopening, Segment::Syn, Outside) => refresh(Established),
        (BothFin | Reopening, _, _) => keep(state),

        (Transitory, Segment::Rst, _) => keep(Transitory),
        (Transitory, Segment::Syn | Segment::Fin | Segment::Other, _) => refresh(Established),

        (Unconfirmed | Confirmed, _, _) => keep(state),
    }
}

const fn refresh(state: State) -> Step {
    Step {
        state,
        refresh: true,
    }
}

const fn keep(state: State) -> Step {
    Step {
        state,
        refresh: false,
    }
}

/// Whether a SYN that made this step begins another connection, whose sequence numbers have nothing
/// to do with those noted. `by_opener` says whether it is from the side that opened the session.
pub(crate) const fn begins(before: State, after: State, by_opener: bool) -> bool {
    use State::{BothFin, Established, InInit, Reopening, Transitory};
    match (before, after) {
        (BothFin | Reopening, InInit) | (Reopening, Established) => true,
        // The other side's may be anyone's.
        (Transitory, Established) => by_opener,
        _ => false,
    }
}

/// Whether a SYN in this state is one of the handshake's: its number is the first of its side.
pub(crate) const fn is_handshake(state: State) -> bool {
    matches!(state, State::InInit | State::OutInit | State::Rejected)
}

/// Whether `sequence` lies beyond `noted` (RFC 9293 §3.4); anything lies beyond 0, which stands
/// for "nothing noted".
pub(crate) const fn beyond(sequence: u32, noted: u32) -> bool {
    noted == 0 || (sequence.wrapping_sub(noted) as i32) > 0
}

/// How far behind and ahead of the last sequence number seen a RST may lie and still be believed.
/// A window is at most 1 GiB (RFC 7323 §2.3), but a blind attacker has to hit this one.
const BEHIND: u32 = 1 << 16;
const AHEAD: u32 = 1 << 20;

/// Whether a segment with this sequence number can be of the connection (RFC 7857 §2.2, RFC 5961
/// §3).
pub(crate) const fn plausible(sequence: u32, noted: u32) -> bool {
    noted == 0 || sequence.wrapping_sub(noted).wrapping_add(BEHIND) <= BEHIND + AHEAD
}

#[cfg(test)]
mod tests;
