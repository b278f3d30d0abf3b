use super::*;

const SYN: TcpFlags = TcpFlags::SYN;
const FIN: TcpFlags = TcpFlags::FIN;
const RST: TcpFlags = TcpFlags::RST;
const ACK: TcpFlags = TcpFlags::ACK;

/// RFC 6146 §3.5.2.2, read row by row. Columns: SYN from inside, SYN from outside, FIN from
/// inside, FIN from outside, RST from outside, anything else. `+` starts the timer anew.
#[test]
fn rfc6146_section_3_5_2_2_transition_table() {
    use State::*;
    let rows: [(State, [(State, bool); 6]); 8] = [
        // The RFC keeps V6 INIT on a RST; here it becomes `Rejected`, the same but first to go.
        (
            InInit,
            [
                (InInit, true),
                (Established, true),
                (InInit, false),
                (InInit, false),
                (Rejected, false),
                (InInit, false),
            ],
        ),
        (
            OutInit,
            [
                (Established, true),
                (OutInit, false),
                (OutInit, false),
                (OutInit, false),
                (OutInit, false),
                (OutInit, false),
            ],
        ),
        (
            Established,
            [
                (Established, true),
                (Established, true),
                (InFin, false),
                (OutFin, false),
                (Transitory, true),
                (Established, true),
            ],
        ),
        // The RFC has no row for a RST here; RFC 7857 §2.2 treats it as in ESTABLISHED.
        (
            InFin,
            [
                (InFin, true),
                (InFin, true),
                (InFin, true),
                (BothFin, true),
                (Transitory, true),
                (InFin, true),
            ],
        ),
        (
            OutFin,
            [
                (OutFin, true),
                (OutFin, true),
                (BothFin, true),
                (OutFin, true),
                (Transitory, true),
                (OutFin, true),
            ],
        ),
        (
            BothFin,
            [
                (Reopening, false),
                (BothFin, false),
                (BothFin, false),
                (BothFin, false),
                (BothFin, false),
                (BothFin, false),
            ],
        ),
        (
            Transitory,
            [
                (Established, true),
                (Established, true),
                (Established, true),
                (Established, true),
                (Transitory, false),
                (Established, true),
            ],
        ),
        (
            Rejected,
            [
                (InInit, true),
                (Established, true),
                (Rejected, false),
                (Rejected, false),
                (Rejected, false),
                (Rejected, false),
            ],
        ),
    ];
    let columns = [
        (Side::Inside, SYN),
        (Side::Outside, SYN.union(ACK)),
        (Side::Inside, FIN.union(ACK)),
        (Side::Outside, FIN.union(ACK)),
        (Side::Outside, RST),
        (Side::Inside, ACK),
    ];
    for (state, wanted) in rows {
        for ((side, flags), (next, refresh)) in columns.into_iter().zip(wanted) {
            let found = step(state, side, flags, false, false);
            assert_eq!(
                found,
                Step {
                    state: next,
                    refresh
                },
                "{state:?} {side:?} {flags:?}"
            );
        }
    }
}

/// RFC 6191 §2: a SYN beyond the old connection's last sequence number opens a new one.
#[test]
fn rfc6191_section_2_newer_syn_reopens_both_fin() {
    let wanted = Step {
        state: State::InInit,
        refresh: true,
    };
    assert_eq!(step(State::BothFin, Side::Inside, SYN, true, false), wanted);
    assert_eq!(
        step(State::Reopening, Side::Inside, SYN, true, false),
        wanted
    );
}

/// An old-looking SYN that the peer answers was new; one that it does not answer changes nothing.
#[test]
fn both_fin_reopens_only_by_the_peers_answer() {
    let waiting = step(State::BothFin, Side::Inside, SYN, false, false);
    assert_eq!(
        waiting,
        Step {
            state: State::Reopening,
            refresh: false
        }
    );
    let answered = step(
        State::Reopening,
        Side::Outside,
        SYN.union(ACK),
        false,
        false,
    );
    assert_eq!(
        answered,
        Step {
            state: State::Established,
            refresh: true
        }
    );
    let late = step(
        State::Reopening,
        Side::Outside,
        FIN.union(ACK),
        false,
        false,
    );
    assert_eq!(
        late,
        Step {
            state: State::Reopening,
            refresh: false
        }
    );
}

/// What a peer opened it may open anew, if the client answers; the client needs no newer number.
#[test]
fn rfc6146_section_3_5_2_2_a_peer_reopens_what_it_opened() {
    let of_peer = |state, side, flags| step(state, side, flags, false, true);
    let (reopening, syn_ack) = (State::Reopening, SYN.union(ACK));
    for state in [State::BothFin, State::Reopening] {
        assert_eq!(of_peer(state, Side::Outside, SYN), keep(reopening));
        assert_eq!(of_peer(state, Side::Outside, syn_ack), keep(state));
        assert_eq!(of_peer(state, Side::Inside, SYN), refresh(State::InInit));
    }
    let unasked = of_peer(State::BothFin, Side::Inside, syn_ack);
    assert_eq!(unasked, keep(State::BothFin));
    let answer = of_peer(reopening, Side::Inside, syn_ack);
    assert_eq!(answer, refresh(State::Established));
    // A session that the client opened is not the peer's to open.
    let foreign = step(State::BothFin, Side::Outside, SYN, true, false);
    assert_eq!(foreign, keep(State::BothFin));
}

#[test]
fn sequence_numbers_compare_across_the_wrap() {
    assert!(beyond(5, u32::MAX - 5));
    assert!(!beyond(u32::MAX - 5, 5));
    assert!(!beyond(7, 7));
    assert!(beyond(7, 0));
    assert!(plausible(100, 50) && plausible(50, 100));
    assert!(plausible(3, u32::MAX) && plausible(u32::MAX, 3));
    assert!(!plausible(0x4000_0000, 50));
    assert!(!plausible(0x8000_0000, 50));
}
