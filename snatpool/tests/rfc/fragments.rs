//! RFC 4787 REQ-14, RFC 5722, RFC 1858, RFC 3128, RFC 6146 §3.4.

use snatpool::{FragmentKey, FragmentRefused, FragmentVerdict, Piece, Side};

use crate::*;

const FLOW: (&str, &str) = ("10.0.0.1:5000", "203.0.113.1:443");

fn key(identification: u32) -> FragmentKey {
    FragmentKey {
        side: Side::Inside,
        source: address("10.0.0.1"),
        destination: address("203.0.113.1"),
        protocol: 17,
        identification,
    }
}

const fn piece(offset: u16, length: u16, more: bool) -> Piece {
    Piece {
        offset,
        length,
        more,
    }
}

fn put(
    nat: &mut SnatPool,
    now: Duration,
    key: &FragmentKey,
    piece: Piece,
    id: SessionId,
) -> FragmentVerdict {
    if piece.offset == 0 {
        nat.first_fragment(now, key, piece, id)
    } else {
        nat.later_fragment(now, key, piece)
    }
}

/// bindings 1.15, bindings 5.1, bindings 5.3, scenario `fragments_any_order`
#[test]
fn rfc4787_req14_fragments_pass_in_any_order() {
    let pieces = [
        piece(0, 1200, true),
        piece(1200, 1200, true),
        piece(2400, 600, false),
    ];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let mut nat = plain();
        let (id, _) = open(&mut nat, at(0), &udp(FLOW.0, FLOW.1));
        let (mut passed, mut held) = (0, Vec::new());
        for index in order {
            match put(&mut nat, at(0), &key(1), pieces[index], id) {
                FragmentVerdict::Session(session) => {
                    assert_eq!(session, id);
                    passed += 1;
                }
                FragmentVerdict::Hold(ticket) => held.push(ticket),
                other => panic!("{order:?}: {other:?}"),
            }
        }
        let released: Vec<_> = events(&mut nat)
            .into_iter()
            .map(|event| match event {
                Event::Release { ticket, session } if session == id => ticket,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(released, held, "{order:?}: in the order in which they came");
        assert_eq!(passed + released.len(), 3);
    }
}

/// bindings 1.61, bindings 5.1
#[test]
fn rfc6146_3_4_held_fragments_are_given_up_after_two_seconds() {
    let mut nat = plain();
    let FragmentVerdict::Hold(ticket) = nat.later_fragment(at(0), &key(1), piece(1200, 600, false))
    else {
        panic!("not held");
    };
    assert_eq!(pass(&mut nat, Duration::from_millis(1900)), []);
    let told = pass(&mut nat, Duration::from_millis(2200));
    assert_eq!(told, [Event::Expire { ticket }]);
}

/// bindings 5.2
#[test]
fn later_fragments_do_not_refresh_the_session() {
    let mut nat = plain();
    let (id, _) = open(&mut nat, at(0), &udp(FLOW.0, FLOW.1));
    nat.first_fragment(at(0), &key(1), piece(0, 1200, true), id);
    nat.later_fragment(at(1), &key(1), piece(1200, 600, false));
    assert_eq!(nat.session(id).unwrap().expires_at, at(300));
}

/// bindings 5.4, scenario `fragment_bad`
#[test]
fn rfc5722_4_an_overlap_spoils_the_whole_datagram() {
    for bad in [piece(1192, 600, false), piece(600, 1800, false)] {
        let mut nat = plain();
        let (id, _) = open(&mut nat, at(0), &udp(FLOW.0, FLOW.1));
        nat.first_fragment(at(0), &key(1), piece(0, 1200, true), id);
        let overlap = nat.later_fragment(at(0), &key(1), bad);
        assert_eq!(overlap, FragmentVerdict::Refused(FragmentRefused::Overlap));
        let good = nat.later_fragment(at(0), &key(1), piece(2400, 600, false));
        assert_eq!(good, FragmentVerdict::Refused(FragmentRefused::Overlap));
    }
}

/// bindings 5.4
#[test]
fn rfc8200_4_5_an_exact_duplicate_is_dropped_alone() {
    let mut nat = plain();
    let (id, _) = open(&mut nat, at(0), &udp(FLOW.0, FLOW.1));
    nat.first_fragment(at(0), &key(1), piece(0, 1200, true), id);
    let last = piece(1200, 600, true);
    assert_eq!(
        nat.later_fragment(at(0), &key(1), last),
        FragmentVerdict::Session(id)
    );
    let again = nat.later_fragment(at(0), &key(1), last);
    assert_eq!(again, FragmentVerdict::Refused(FragmentRefused::Duplicate));
}

/// bindings 5.4
#[test]
fn rfc1858_rfc3128_tiny_fragments_are_refused() {
    let tcp_key = FragmentKey {
        protocol: 6,
        ..key(1)
    };
    let mut nat = plain();
    let (id, _) = open(&mut nat, at(0), &tcp(FLOW.0, FLOW.1));
    let tiny = FragmentVerdict::Refused(FragmentRefused::Tiny);
    assert_eq!(
        nat.first_fragment(at(0), &tcp_key, piece(0, 16, true), id),
        tiny
    );
    assert_eq!(
        nat.later_fragment(at(0), &tcp_key, piece(8, 16, true)),
        tiny
    );
}

/// bindings 5.4
#[test]
fn rfc791_impossible_lengths_are_refused() {
    let mut nat = plain();
    let (id, _) = open(&mut nat, at(0), &udp(FLOW.0, FLOW.1));
    for bad in [
        piece(0, 1201, true),
        piece(65_528, 16, false),
        piece(1200, 0, true),
    ] {
        let verdict = put(&mut nat, at(0), &key(u32::from(bad.length)), bad, id);
        assert_eq!(
            verdict,
            FragmentVerdict::Refused(FragmentRefused::Length),
            "{bad:?}"
        );
    }
}

/// bindings 5.5
#[test]
fn rfc4963_a_reused_identification_starts_anew() {
    let mut nat = plain();
    let (one, _) = open(&mut nat, at(0), &udp(FLOW.0, FLOW.1));
    let (two, _) = open(&mut nat, at(0), &udp("10.0.0.1:6000", FLOW.1));
    nat.first_fragment(at(0), &key(1), piece(0, 1200, true), one);
    let last = piece(1200, 600, false);
    assert_eq!(
        nat.later_fragment(at(0), &key(1), last),
        FragmentVerdict::Session(one)
    );
    nat.first_fragment(at(1), &key(1), piece(0, 1200, true), two);
    assert_eq!(
        nat.later_fragment(at(1), &key(1), last),
        FragmentVerdict::Session(two)
    );
}

/// bindings 1.62, bindings 5.3, scenario `fragment_bounds`
#[test]
fn rfc6146_5_3_orphans_of_one_source_leave_room_for_others() {
    let mut nat = plain();
    let (mut held, mut refused) = (0, 0);
    for identification in 0..10_000 {
        match nat.later_fragment(at(0), &key(identification), piece(1200, 1000, false)) {
            FragmentVerdict::Hold(_) => held += 1,
            FragmentVerdict::Refused(_) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    // An eighth of 256 KiB.
    assert_eq!((held, refused), (32, 9968));
    let other = FragmentKey {
        source: address("10.0.0.2"),
        ..key(1)
    };
    let (id, _) = open(&mut nat, at(0), &udp("10.0.0.2:5000", FLOW.1));
    let verdict = nat.later_fragment(at(0), &other, piece(1200, 600, false));
    assert!(matches!(verdict, FragmentVerdict::Hold(_)));
    let verdict = nat.first_fragment(at(0), &other, piece(0, 1200, true), id);
    assert_eq!(verdict, FragmentVerdict::Session(id));
}

/// bindings 1.14
#[test]
fn a_fragment_of_a_session_that_ended_is_refused() {
    let mut nat = plain();
    let (id, _) = open(&mut nat, at(0), &udp(FLOW.0, FLOW.1));
    nat.first_fragment(at(0), &key(1), piece(0, 1200, true), id);
    nat.close(at(0), id);
    events(&mut nat);
    let last = nat.later_fragment(at(0), &key(1), piece(1200, 600, false));
    assert_eq!(last, FragmentVerdict::Refused(FragmentRefused::Closed));
}
