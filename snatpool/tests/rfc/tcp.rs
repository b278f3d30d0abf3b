//! RFC 5382, RFC 7857 §2 and RFC 6146 §3.5.2: TCP.

use snatpool::{Filter, Lookup, Refused, Side, Signal, Timeouts, Timer};

use crate::*;

const FLOW: (&str, &str) = ("10.0.0.1:5000", "203.0.113.1:443");

fn established(nat: &mut SnatPool) -> (SessionId, Tuple, Tuple) {
    let inside = tcp(FLOW.0, FLOW.1);
    let (id, outside) = open_both(nat, at(0), &inside);
    assert_eq!(state(nat, id), Some(State::Established));
    (id, inside, outside.reversed())
}

fn send(nat: &mut SnatPool, now: u64, tuple: &Tuple, flags: TcpFlags, sequence: u32) -> Lookup {
    if tuple.source == end(FLOW.0) {
        nat.outbound(at(now), tuple, segment(flags, sequence))
    } else {
        nat.inbound(at(now), tuple, segment(flags, sequence))
    }
}

/// bindings 1.16
#[test]
fn rfc5382_req7_one_port_to_a_peer_has_one_owner() {
    let mut nat = plain();
    let (_, one) = open(&mut nat, at(0), &tcp("10.0.0.1:5000", "203.0.113.1:443"));
    let (_, two) = open(&mut nat, at(0), &tcp("10.0.0.2:5000", "203.0.113.1:443"));
    assert_ne!(one.source, two.source);
}

/// bindings 1.17, bindings 1.19, scenario `simultaneous_open`
#[test]
fn rfc5382_req2_simultaneous_open() {
    let mut nat = plain();
    let peer = tcp("203.0.113.1:443", "192.0.2.1:5000");
    let Lookup::Hold(ticket) = send(&mut nat, 0, &peer, SYN, 1) else {
        panic!("not held");
    };
    nat.handle_timeout(Duration::from_millis(5900));
    let flow = tcp(FLOW.0, FLOW.1);
    let now = Duration::from_millis(5900);
    let id = nat.bind(
        now,
        PODS,
        &flow,
        flow.destination.address,
        None,
        segment(SYN, 1),
    );
    let id = id.unwrap();
    assert_eq!(state(&nat, id), Some(State::Established));
    assert!(events(&mut nat).contains(&Event::SynDropped { ticket }));
    let told = pass(&mut nat, at(10));
    assert!(
        !told
            .iter()
            .any(|event| matches!(event, Event::SynUnanswered { .. }))
    );
}

/// bindings 1.18
#[test]
fn rfc5382_req3_per_flow_filters_by_address_and_port() {
    let mut nat = plain();
    let (_, _, back) = established(&mut nat);
    let stranger = Tuple {
        source: end("203.0.113.1:444"),
        ..back
    };
    assert_eq!(send(&mut nat, 0, &stranger, ACK, 1), Lookup::Miss);
}

/// bindings 1.19
#[test]
fn rfc5382_req4_an_unsolicited_syn_is_answered_after_six_seconds_and_not_before() {
    let mut nat = plain();
    let peer = tcp("203.0.113.1:443", "192.0.2.1:5000");
    let Lookup::Hold(ticket) = send(&mut nat, 0, &peer, SYN, 1) else {
        panic!("not held");
    };
    assert_eq!(pass(&mut nat, Duration::from_millis(5900)), []);
    let told = pass(&mut nat, Duration::from_millis(6200));
    let outside = peer;
    assert_eq!(told, [Event::SynUnanswered { ticket, outside }]);
    // 0 allowed: silence.
    let mut silent = crate::nat(&["192.0.2.1"], |config| config.held_syns = 0);
    let found = send(&mut silent, 0, &peer, SYN, 1);
    assert_eq!(found, Lookup::Refused(Refused::SynsHeld));
}

/// bindings 3.2, scenario `held_syn_retry`
#[test]
fn rfc6146_3_5_2_2_a_held_syn_does_not_authorise_its_own_retransmission() {
    let mut nat = plain();
    let peer = tcp("203.0.113.1:443", "192.0.2.1:5000");
    assert!(matches!(send(&mut nat, 0, &peer, SYN, 1), Lookup::Hold(_)));
    let again = send(&mut nat, 1, &peer, SYN, 1);
    assert_eq!(again, Lookup::Refused(Refused::Filtered));
}

/// bindings 1.62
#[test]
fn rfc6146_5_3_held_syns_are_bounded() {
    let mut nat = plain();
    let syn = |port: u16| tcp(&format!("203.0.113.1:{port}"), "192.0.2.1:5000");
    for port in 1000..1064 {
        assert!(matches!(
            send(&mut nat, 0, &syn(port), SYN, 1),
            Lookup::Hold(_)
        ));
    }
    let over = send(&mut nat, 0, &syn(1064), SYN, 1);
    assert_eq!(over, Lookup::Refused(Refused::SynsHeld));
}

/// bindings 1.20, scenario `established_2h4m`
#[test]
fn rfc5382_req5_partly_open_connections_live_four_minutes() {
    let mut nat = plain();
    let (id, _) = open(&mut nat, at(0), &tcp(FLOW.0, FLOW.1));
    pass(&mut nat, at(239));
    assert!(nat.session(id).is_some());
    pass(&mut nat, at(241));
    assert!(nat.session(id).is_none());
}

/// scenario `tcp_life`
#[test]
fn rfc5382_req5_closing_connections_live_four_minutes() {
    let mut nat = plain();
    let (id, inside, back) = established(&mut nat);
    send(&mut nat, 10, &inside, FIN.union(ACK), 2);
    send(&mut nat, 10, &back, FIN.union(ACK), 2);
    send(&mut nat, 11, &inside, ACK, 3);
    pass(&mut nat, at(249));
    assert_eq!(state(&nat, id), Some(State::BothFin));
    pass(&mut nat, at(251));
    assert!(nat.session(id).is_none());
}

/// bindings 1.23, bindings 4.8, scenarios `icmp_error_no_close`, `icmp_error_both_ways`
#[test]
fn rfc5382_req10_no_icmp_error_ends_or_refreshes_a_connection_in_any_state() {
    let mut nat = plain();
    let (id, inside, back) = established(&mut nat);
    let quote = |nat: &mut SnatPool| {
        let before = nat.session(id);
        assert_eq!(nat.quoted(Side::Outside, &back.reversed()), Some(id));
        assert_eq!(nat.quoted(Side::Inside, &inside.reversed()), Some(id));
        assert_eq!(nat.session(id), before);
    };
    quote(&mut nat);
    send(&mut nat, 1, &back, RST, 2);
    assert_eq!(state(&nat, id), Some(State::Transitory));
    quote(&mut nat);
    send(&mut nat, 2, &inside, ACK, 2);
    send(&mut nat, 2, &inside, FIN.union(ACK), 2);
    send(&mut nat, 2, &back, FIN.union(ACK), 2);
    assert_eq!(state(&nat, id), Some(State::BothFin));
    quote(&mut nat);
}

/// bindings 1.38
#[test]
fn rfc7857_2_1_opening_and_closing_have_timers_of_their_own() {
    let timeouts = Timeouts::default().with(Timer::TcpOpening, at(30)).unwrap();
    let mut nat = nat(&["192.0.2.1"], |config| config.timeouts = timeouts);
    let (id, _) = open(&mut nat, at(0), &tcp(FLOW.0, FLOW.1));
    pass(&mut nat, at(31));
    assert!(nat.session(id).is_none());
}

/// bindings 1.40, scenario `rst_then_data`
#[test]
fn rfc7857_2_2_a_session_outlives_a_rst_by_four_minutes_or_is_restored() {
    let mut nat = plain();
    let (id, inside, back) = established(&mut nat);
    assert_eq!(send(&mut nat, 1, &back, RST, 2), Lookup::Session(id));
    send(&mut nat, 2, &inside, ACK, 2);
    assert_eq!(state(&nat, id), Some(State::Established));
    send(&mut nat, 3, &back, RST, 3);
    pass(&mut nat, at(244));
    assert!(nat.session(id).is_none());
}

/// bindings 3.3, scenario `rst_in_fin`
#[test]
fn a_rst_after_a_fin_does_not_hold_the_session_for_two_hours() {
    let mut nat = plain();
    let (id, inside, back) = established(&mut nat);
    send(&mut nat, 1, &inside, FIN.union(ACK), 2);
    send(&mut nat, 2, &back, RST, 2);
    pass(&mut nat, at(243));
    assert!(nat.session(id).is_none());
}

/// bindings 3.4, scenarios `syn_reuse`, `late_fin`
#[test]
fn rfc6191_2_a_newer_syn_reopens_and_an_older_one_only_passes() {
    for (sequence, newer) in [(3000, true), (5, false)] {
        let mut nat = plain();
        let (id, inside, back) = established(&mut nat);
        send(&mut nat, 1, &inside, FIN.union(ACK), 2000);
        send(&mut nat, 1, &back, FIN.union(ACK), 2000);
        let due = nat.session(id).unwrap().expires_at;
        assert_eq!(
            send(&mut nat, 2, &back, FIN.union(ACK), 2000),
            Lookup::Session(id)
        );
        assert_eq!(send(&mut nat, 2, &inside, ACK, 2001), Lookup::Session(id));
        assert_eq!(nat.session(id).unwrap().expires_at, due);
        assert_eq!(
            send(&mut nat, 3, &inside, SYN, sequence),
            Lookup::Session(id)
        );
        assert_eq!(state(&nat, id) == Some(State::InInit), newer);
        assert_eq!(nat.session(id).unwrap().expires_at > due, newer);
        // Had the peer taken it after all, its SYN+ACK opens the session.
        send(&mut nat, 4, &back, SYN.union(ACK), 1);
        assert_eq!(state(&nat, id), Some(State::Established));
    }
}

/// bindings 3.4: a peer that opened the connection opens it anew from the same port.
#[test]
fn rfc6191_2_a_peer_reopens_its_connection() {
    let mut nat = independent(Filter::Endpoint);
    open(&mut nat, at(0), &tcp(FLOW.0, FLOW.1));
    let outside = tcp("203.0.113.2:7000", "192.0.2.1:5000");
    let peer = outside.source.address;
    let id = nat.accept(at(0), &outside, peer, segment(SYN, 1)).unwrap();
    let inside = nat.session(id).unwrap().inside;
    send(&mut nat, 0, &inside, SYN.union(ACK), 1);
    assert_eq!(state(&nat, id), Some(State::Established));
    send(&mut nat, 1, &inside, FIN.union(ACK), 100);
    send(&mut nat, 1, &outside, FIN.union(ACK), 100);
    let due = nat.session(id).unwrap().expires_at;
    send(&mut nat, 10, &outside, SYN, 1_000_000);
    // Without an answer the port is kept no longer.
    assert_eq!(nat.session(id).unwrap().expires_at, due);
    send(&mut nat, 10, &inside, SYN.union(ACK), 1_000_000);
    send(&mut nat, 10, &outside, ACK, 1_000_001);
    pass(&mut nat, at(7449));
    assert_eq!(state(&nat, id), Some(State::Established));
}

/// bindings 3.5
#[test]
fn rfc5961_4_a_syn_in_an_established_session_passes_and_changes_nothing() {
    let mut nat = plain();
    let (id, inside, _) = established(&mut nat);
    assert_eq!(send(&mut nat, 1, &inside, SYN, 9), Lookup::Session(id));
    assert_eq!(state(&nat, id), Some(State::Established));
}

/// bindings 3.1
#[test]
fn rfc6146_3_5_2_2_an_idle_connection_is_probed_and_an_answer_restores_it() {
    let mut nat = nat(&["192.0.2.1"], |config| config.probe = true);
    let (id, _, back) = established(&mut nat);
    let told = pass(&mut nat, at(7441));
    assert!(matches!(told[..], [Event::Probe { session, .. }] if session == id));
    assert_eq!(state(&nat, id), Some(State::Transitory));
    assert_eq!(send(&mut nat, 7500, &back, ACK, 2), Lookup::Session(id));
    assert_eq!(state(&nat, id), Some(State::Established));
}

/// bindings 3.8
#[test]
fn rfc7857_2_2_a_forged_rst_passes_but_moves_nothing() {
    let mut nat = nat(&["192.0.2.1"], |config| config.validate_rst = true);
    let (id, inside, back) = established(&mut nat);
    send(&mut nat, 1, &back, ACK, 1_000_000);
    send(&mut nat, 1, &inside, ACK, 5);
    assert_eq!(
        send(&mut nat, 2, &back, RST, 3_000_000_000),
        Lookup::Session(id)
    );
    assert_eq!(state(&nat, id), Some(State::Established));
    assert_eq!(nat.stats().implausible_rsts, 1);
    send(&mut nat, 3, &back, RST, 1_000_100);
    assert_eq!(state(&nat, id), Some(State::Transitory));
}

fn validating() -> SnatPool {
    nat(&["192.0.2.1"], |config| config.validate_rst = true)
}

/// bindings 3.8: who knows addresses and ports alone cannot have a RST believed, nor keep the
/// peer's own from being.
#[test]
fn rfc5961_3_a_blind_segment_moves_nothing_that_a_rst_is_judged_by() {
    for flags in [ACK, FIN.union(ACK), SYN] {
        let mut nat = validating();
        let (id, _, back) = established(&mut nat);
        send(&mut nat, 1, &back, ACK, 1000);
        send(&mut nat, 2, &back, flags, 1 << 30);
        send(&mut nat, 2, &back, RST, 1 << 30);
        assert_ne!(state(&nat, id), Some(State::Transitory));
        send(&mut nat, 3, &back, ACK, 2000);
        send(&mut nat, 4, &back, RST, 2100);
        assert_eq!(state(&nat, id), Some(State::Transitory));
    }
}

/// bindings 3.8: a connection on the ports of an old one begins with numbers of its own.
#[test]
fn rfc6191_2_a_rst_is_judged_by_its_own_connection() {
    // Behind the old numbers, and beyond them.
    for first in [1_000_000_000, 3_000_000_000] {
        let mut nat = validating();
        let (id, inside, back) = established(&mut nat);
        send(&mut nat, 1, &inside, FIN.union(ACK), 2_000_000);
        send(&mut nat, 1, &inside, ACK, 1_000_000);
        send(&mut nat, 1, &inside, FIN.union(ACK), 2_000_000);
        send(&mut nat, 1, &back, FIN.union(ACK), 9);
        assert_eq!(state(&nat, id), Some(State::BothFin));
        send(&mut nat, 2, &inside, SYN, first);
        send(&mut nat, 2, &back, SYN.union(ACK), first);
        send(&mut nat, 2, &inside, ACK, first + 1);
        assert_eq!(state(&nat, id), Some(State::Established));
        for old in [2_000_000, 9] {
            send(&mut nat, 3, &inside, RST, old);
            send(&mut nat, 3, &back, RST, old);
        }
        assert_eq!(state(&nat, id), Some(State::Established));
        send(&mut nat, 3, &back, RST, first + 1);
        assert_eq!(state(&nat, id), Some(State::Transitory));
        // Opened anew after the RST, with numbers that are lower again.
        send(&mut nat, 4, &inside, SYN, 70_000);
        send(&mut nat, 4, &back, SYN.union(ACK), 70_000);
        send(&mut nat, 5, &inside, RST, first + 1);
        assert_eq!(state(&nat, id), Some(State::Established));
        send(&mut nat, 5, &inside, RST, 70_001);
        assert_eq!(state(&nat, id), Some(State::Transitory));
    }
}

/// bindings 3.8: while segments pass elsewhere nothing is known, and any RST is believed.
#[test]
fn rfc7857_2_2_what_was_noted_before_a_pin_is_forgotten() {
    for unpinned in [false, true] {
        let mut nat = validating();
        let (id, inside, back) = established(&mut nat);
        send(&mut nat, 1, &back, ACK, 1000);
        assert!(nat.pin(id));
        send(&mut nat, 2, &inside, ACK, 3_000_000_000);
        if unpinned {
            nat.unpin(at(3), id);
        }
        send(&mut nat, 4, &back, RST, 2_000_000_000);
        assert_eq!(state(&nat, id), Some(State::Transitory));
    }
}

/// bindings 3.9
#[test]
fn no_sequence_number_makes_a_packet_leave_untranslated() {
    let mut nat = plain();
    let (id, inside, back) = established(&mut nat);
    for sequence in [0, 1, 1 << 31, u32::MAX] {
        assert_eq!(
            send(&mut nat, 1, &inside, ACK, sequence),
            Lookup::Session(id)
        );
        assert_eq!(send(&mut nat, 1, &back, ACK, sequence), Lookup::Session(id));
    }
}

/// bindings 3.11
#[test]
fn flags_that_no_tcp_sends_are_refused_and_open_nothing() {
    let mut nat = plain();
    let flow = tcp(FLOW.0, FLOW.1);
    for flags in [SYN.union(FIN), SYN.union(RST), TcpFlags::default()] {
        let found = send(&mut nat, 0, &flow, flags, 1);
        assert_eq!(found, Lookup::Refused(Refused::BadFlags));
    }
    for flags in [FIN, RST, FIN.union(ACK), SYN.union(ACK)] {
        let peer = flow.destination.address;
        let bound = nat.bind(at(0), PODS, &flow, peer, None, segment(flags, 1));
        assert_eq!(bound, Err(Refused::NotOpening));
    }
}

/// bindings 3.14: dropped, never forwarded untranslated.
#[test]
fn rfc5382_5_a_segment_of_a_session_that_is_gone_is_a_miss_and_cannot_open() {
    let mut nat = plain();
    let (_, inside, _) = established(&mut nat);
    pass(&mut nat, at(7441));
    assert_eq!(send(&mut nat, 7442, &inside, RST, 1), Lookup::Miss);
    let peer = inside.destination.address;
    let bound = nat.bind(at(7442), PODS, &inside, peer, None, segment(RST, 1));
    assert_eq!(bound, Err(Refused::NotOpening));
}

/// bindings 3.15
#[test]
fn rfc6146_3_5_2_2_a_syn_that_the_filter_passes_is_not_held() {
    let mut nat = independent(Filter::Address);
    let (_, outside) = open(&mut nat, at(0), &tcp(FLOW.0, FLOW.1));
    let other_port = Tuple {
        source: end("203.0.113.1:9000"),
        ..outside.reversed()
    };
    assert!(matches!(
        send(&mut nat, 0, &other_port, SYN, 1),
        Lookup::Admit { .. }
    ));
    let stranger = Tuple {
        source: end("198.51.100.1:9000"),
        ..outside.reversed()
    };
    assert!(matches!(
        send(&mut nat, 0, &stranger, SYN, 1),
        Lookup::Hold(_)
    ));
}

/// bindings 1.43
#[test]
fn rfc7857_7_1_a_rst_that_answers_an_unwanted_packet_refreshes_nothing() {
    let mut nat = independent(Filter::Endpoint);
    let (_, outside) = open(&mut nat, at(0), &tcp(FLOW.0, FLOW.1));
    let probe = Tuple {
        source: end("198.51.100.1:9000"),
        ..outside.reversed()
    };
    let peer = probe.source.address;
    let id = nat.accept(at(0), &probe, peer, segment(SYN, 1)).unwrap();
    let due = nat.session(id).unwrap().expires_at;
    let answer = nat.session(id).unwrap().inside;
    let found = nat.outbound(at(5), &answer, segment(RST.union(ACK), 1));
    assert_eq!(found, Lookup::Session(id));
    assert_eq!(nat.session(id).unwrap().expires_at, due);
}

/// A signal of another protocol is a mistake of the caller's, and harmless.
#[test]
fn a_signal_of_another_protocol_is_refused() {
    let mut nat = plain();
    let found = nat.outbound(at(0), &tcp(FLOW.0, FLOW.1), Signal::None);
    assert_eq!(found, Lookup::Refused(Refused::BadFlags));
}
