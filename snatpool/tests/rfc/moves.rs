//! Sessions that go to another process, and what a pinned session keeps.

use proptest::prelude::*;
use snatpool::{
    ExportCursor, Filter, ImportError, Imported, Lookup, Mapping, PortBlocks, Refused, Signal,
};

use crate::*;

fn exported(nat: &SnatPool, now: Duration) -> Vec<u8> {
    exported_from(nat, now, ExportCursor::default())
}

fn exported_from(nat: &SnatPool, now: Duration, mut cursor: ExportCursor) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 20];
    let len = nat.export(now, &mut cursor, &mut bytes);
    assert!(cursor.is_done());
    bytes.truncate(len);
    bytes
}

/// Flows of every protocol and direction, in several states.
fn populated() -> SnatPool {
    let mut nat = nat(&["192.0.2.1", "2001:db8::1"], |_| {});
    let peer = "203.0.113.1:443";
    open_both(&mut nat, at(0), &udp("10.0.0.1:2000", peer));
    open(&mut nat, at(10), &udp("10.0.0.1:2001", "203.0.113.1:53"));
    open_both(&mut nat, at(10), &tcp("10.0.0.2:2000", peer));
    open(&mut nat, at(10), &ping("10.0.0.2", 7, "203.0.113.1"));
    let (_, outside) = open_both(&mut nat, at(10), &tcp("10.0.0.2:2001", peer));
    nat.inbound(at(10), &outside.reversed(), segment(FIN.union(ACK), 9));
    let nat46 = udp("10.0.0.1:2000", "100.64.0.1:443");
    let host = address("2001:db8:f::80");
    nat.bind(at(10), PODS, &nat46, host, None, Signal::None)
        .unwrap();
    events(&mut nat);
    nat
}

/// bindings 8.5, scenario `export_import`
#[test]
fn what_was_exported_goes_on_elsewhere_as_if_nothing_had_been() {
    let mut old = populated();
    let bytes = exported(&old, at(15));
    let mut new = SnatPool::new(
        {
            let pool = PoolConfig::new(vec![address("192.0.2.1"), address("2001:db8::1")]);
            Config::new(1000, vec![pool])
        },
        [99; 32],
    )
    .unwrap();
    // The clocks of the two start apart.
    let shift = 5000;
    let imported = new.import(at(15 + shift), &bytes).unwrap();
    assert_eq!(imported.added, 6);
    let told = events(&mut new);
    assert!(
        told.iter()
            .all(|event| matches!(event, Event::Opened { .. }))
    );
    assert_eq!(told.len(), 6);
    let view = |nat: &SnatPool, shift: u64| {
        let mut all: Vec<_> = nat
            .sessions()
            .map(|session| {
                let left = session.expires_at - at(shift);
                (
                    session.inside,
                    session.outside,
                    format!("{:?}", session.state),
                    left,
                )
            })
            .collect();
        all.sort();
        all
    };
    assert_eq!(view(&old, 0), view(&new, shift));
    // The same packets, the same verdicts.
    for session in old.sessions().collect::<Vec<_>>() {
        let signal = match session.inside.protocol {
            Protocol::Tcp => segment(ACK, 10),
            Protocol::Udp | Protocol::Icmp => Signal::None,
        };
        let one = old.inbound(at(16), &session.outside.reversed(), signal);
        let other = new.inbound(at(16 + shift), &session.outside.reversed(), signal);
        assert!(matches!(
            (one, other),
            (Lookup::Session(_), Lookup::Session(_))
        ));
    }
    assert_eq!(view(&old, 0), view(&new, shift));
    // A client stays with its address.
    assert_eq!(new.stats().live, 6);
}

/// bindings 8.6: twice is once, and what happened meanwhile comes behind it.
#[test]
fn an_import_is_idempotent_and_follows_a_change_log() {
    let mut old = populated();
    let mut new = nat(&["192.0.2.1", "2001:db8::1"], |_| {});
    let bytes = exported(&old, at(15));
    // While it was written, one began and one ended.
    let (born, outside) = open_both(&mut old, at(16), &udp("10.0.0.3:2000", "203.0.113.1:443"));
    let gone = old.sessions().find(|session| session.id != born).unwrap();
    old.close(at(16), gone.id);
    events(&mut old);
    let mut log = [0; 2 * SnatPool::EXPORT_LEN];
    let len = old.export_opened(at(16), born, &mut log);
    new.import(at(16), &bytes).unwrap();
    let again = new.import(at(16), &bytes).unwrap();
    assert_eq!((again.added, again.known), (0, 6));
    assert_eq!(new.import(at(16), &log[..len]).unwrap().added, 1);
    let len = SnatPool::export_closed(&gone.inside, &gone.outside, &mut log);
    assert_eq!(new.import(at(16), &log[..len]).unwrap().ended, 1);
    let reply = new.inbound(at(16), &outside.reversed(), Signal::None);
    assert!(matches!(reply, Lookup::Session(_)));
    assert_eq!(new.stats().live, 6);
}

/// bindings 8.6: what packets did while sessions were written comes in a second pass, and it alone.
#[test]
fn a_connection_that_completes_during_an_export_lives_on() {
    let mut old = populated();
    let flow = tcp("10.0.0.1:5000", "203.0.113.1:443");
    let (id, outside) = open(&mut old, at(20), &flow);
    let idle = udp("10.0.0.1:2000", "203.0.113.1:443");
    let mut new = nat(&["192.0.2.1", "2001:db8::1"], |_| {});
    new.import(at(20), &exported(&old, at(20))).unwrap();
    // No event tells of this.
    old.inbound(at(21), &outside.reversed(), segment(SYN.union(ACK), 1));
    old.outbound(at(21), &flow, segment(ACK, 2));
    old.outbound(at(200), &idle, Signal::None);
    assert_eq!(events(&mut old), []);
    assert_eq!(state(&old, id), Some(State::Established));
    let rest = exported_from(&old, at(200), ExportCursor::since(at(21)));
    let imported = new.import(at(200), &rest).unwrap();
    assert_eq!((imported.added, imported.known), (0, 2));
    // A record that came before says nothing more.
    new.import(at(200), &rest).unwrap();
    for second in (201..2000).step_by(200) {
        pass(&mut new, at(second));
        let found = new.outbound(at(second), &flow, segment(ACK, 9));
        assert!(matches!(found, Lookup::Session(_)), "lost at {second} s");
        let found = new.outbound(at(second), &idle, Signal::None);
        assert!(matches!(found, Lookup::Session(_)), "lost at {second} s");
    }
}

/// bindings 8.6: an older record takes nothing back, and a connection that was opened anew waits for
/// its answer.
#[test]
fn records_of_one_connection_come_in_any_order() {
    let mut old = plain();
    let flow = tcp("10.0.0.1:5000", "203.0.113.1:443");
    let (_, outside) = open(&mut old, at(0), &flow);
    let back = outside.reversed();
    let opening = exported(&old, at(0));
    old.inbound(at(0), &back, segment(SYN.union(ACK), 1));
    let established = exported(&old, at(0));
    old.inbound(at(0), &back, segment(RST, 2));
    let reset = exported(&old, at(0));
    old.inbound(at(0), &back, segment(ACK, 2));
    old.inbound(at(0), &back, segment(FIN.union(ACK), 2));
    old.outbound(at(0), &flow, segment(FIN.union(ACK), 2));
    let closed = exported(&old, at(0));
    for (records, wanted) in [
        ([&opening, &established], State::Established),
        ([&established, &opening], State::Established),
        ([&opening, &reset], State::Transitory),
        ([&reset, &established], State::Established),
        ([&established, &closed], State::Established),
        ([&closed, &opening], State::Reopening),
    ] {
        let mut new = plain();
        for bytes in records {
            new.import(at(0), bytes).unwrap();
        }
        let states: Vec<State> = new.sessions().map(|session| session.state).collect();
        assert_eq!(states, [wanted]);
        let lifetime = if wanted == State::Established {
            7440
        } else {
            240
        };
        pass(&mut new, at(lifetime - 1));
        assert_eq!(new.stats().live, 1, "{wanted:?}");
        pass(&mut new, at(lifetime + 1));
        assert_eq!(new.stats().live, 0, "{wanted:?}");
    }
}

/// A session that is over, though no timer has fired yet, is in no record's way.
#[test]
fn a_record_replaces_the_session_that_it_outlived() {
    let mut old = plain();
    let flow = udp("10.0.0.1:5000", "203.0.113.1:443");
    open(&mut old, at(0), &flow);
    let bytes = exported(&old, at(0));
    for source in ["10.0.0.1:5000", "10.0.0.9:5000"] {
        let mut new = plain();
        open(&mut new, at(0), &udp(source, "203.0.113.1:443"));
        let imported = new.import(at(400), &bytes).unwrap();
        assert_eq!((imported.added, imported.known), (1, 0));
        assert!(matches!(
            new.outbound(at(500), &flow, Signal::None),
            Lookup::Session(_)
        ));
    }
}

/// bindings 8.5: what does not fit this configuration is counted, and the others live.
#[test]
fn records_that_do_not_fit_are_skipped_and_counted() {
    let old = populated();
    let bytes = exported(&old, at(15));
    let other_address =
        |config: &mut Config| config.pools[0].addresses = vec![address("192.0.2.9")];
    let few_ports = |config: &mut Config| config.pools[0].ports = 1024..=2000;
    let small = |config: &mut Config| config.sessions = 2;
    let limited = |config: &mut Config| config.per_client.sessions = Some(1);
    let import = |change: &dyn Fn(&mut Config)| {
        let mut nat = nat(&["192.0.2.1", "2001:db8::1"], change);
        let imported = nat.import(at(15), &bytes).unwrap();
        assert_eq!(nat.stats().live, imported.added);
        (imported.added, imported.foreign, imported.refused)
    };
    assert_eq!(import(&other_address), (0, 6, 0));
    assert_eq!(import(&few_ports), (4, 2, 0));
    assert_eq!(import(&small), (2, 0, 4));
    assert_eq!(import(&limited), (2, 0, 4));
    // Another owner of the same outside pair.
    let mut taken = nat(&["192.0.2.1", "2001:db8::1"], |_| {});
    open(&mut taken, at(0), &udp("10.0.0.77:2000", "203.0.113.1:443"));
    let imported = taken.import(at(15), &bytes).unwrap();
    assert_eq!((imported.added, imported.conflicting), (5, 1));
}

/// A shorter timer here is obeyed; what had no time left does not come.
#[test]
fn an_imported_session_lives_no_longer_than_this_configuration_lets_it() {
    let old = populated();
    let bytes = exported(&old, at(15));
    let mut new = nat(&["192.0.2.1", "2001:db8::1"], |config| {
        config.timeouts = config.timeouts.unsafe_with(snatpool::Timer::Udp, at(30));
    });
    new.import(at(100), &bytes).unwrap();
    events(&mut new);
    let longest = new
        .sessions()
        .filter(|session| session.inside.protocol == Protocol::Udp)
        .map(|session| session.expires_at)
        .max();
    assert_eq!(longest, Some(at(130)));
}

#[test]
fn endpoint_independent_bindings_and_blocks_come_along() {
    let make = || {
        nat(&["192.0.2.1"], |config| {
            config.pools[0].mapping = Mapping::EndpointIndependent;
            config.pools[0].filter = Filter::Endpoint;
            config.pools[0].blocks = Some(PortBlocks {
                size: 512,
                per_client: 2,
            });
        })
    };
    let mut old = make();
    let (_, outside) = open(&mut old, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
    let mut new = make();
    // Another client has a block already, which is the one that this session's port is in.
    new.import(at(0), &exported(&old, at(0))).unwrap();
    let told = events(&mut new);
    assert!(matches!(
        told[..],
        [Event::Opened { .. }, Event::BlockOpened(_)]
    ));
    let stranger = Tuple {
        source: end("198.51.100.1:1"),
        ..outside.reversed()
    };
    let admitted = new.inbound(at(0), &stranger, Signal::None);
    assert_eq!(
        admitted,
        Lookup::Admit {
            inside: end("10.0.0.1:5000")
        }
    );
    let (_, same) = open(&mut new, at(0), &udp("10.0.0.1:5000", "203.0.113.2:443"));
    assert_eq!(same.source, outside.source);
    // The block is this client's here too.
    let mut taken = make();
    let port = outside.source.port;
    open(
        &mut taken,
        at(0),
        &udp(&format!("10.0.0.9:{port}"), "203.0.113.1:443"),
    );
    for client in 10..140 {
        let _ = try_open(
            &mut taken,
            at(0),
            &udp(&format!("10.0.0.{client}:5000"), "203.0.113.1:443"),
        );
        events(&mut taken);
    }
    let imported = taken.import(at(0), &exported(&old, at(0))).unwrap();
    assert_eq!(imported.added, 0);
    assert_eq!(imported.conflicting + imported.refused, 1);
}

#[test]
fn other_bytes_are_no_export() {
    let mut nat = plain();
    let found = *b"GARBAGE";
    assert_eq!(
        nat.import(at(0), b"GARBAGE and more"),
        Err(ImportError::NoExport { found })
    );
    assert!(nat.import(at(0), b"").is_err());
    assert_eq!(
        nat.import(at(0), b"SNATPOL\x02"),
        Err(ImportError::Version { found: 2 })
    );
    let version = ImportError::Version { found: 2 };
    assert_eq!(
        version.to_string(),
        "an export of version 2: this reads version 1"
    );
    assert_eq!(nat.import(at(0), b"SNATPOL\x01"), Ok(Imported::default()));
}

proptest! {
    /// scenario `import_garbage`: changed bytes are found out, and whatever else comes in keeps the
    /// table whole.
    #[test]
    fn changed_bytes_are_counted_and_harm_nothing(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let old = populated();
        let mut bytes = exported(&old, at(15));
        for (place, value) in changes {
            let place = place.index(bytes.len() - 8) + 8;
            bytes[place] = value;
        }
        bytes.truncate(cut.index(bytes.len() - 8) + 8);
        let mut new = nat(&["192.0.2.1", "2001:db8::1"], |_| {});
        let imported = new.import(at(15), &bytes).unwrap();
        prop_assert_eq!(new.stats().live, imported.added);
        let records = (bytes.len() - 8).div_ceil(84) as u64;
        prop_assert_eq!(imported.added + imported.damaged, records);
        let mut outside: Vec<_> = new.sessions().map(|session| session.outside).collect();
        outside.sort();
        outside.dedup();
        prop_assert_eq!(outside.len() as u64, imported.added);
        pass(&mut new, at(8000));
        prop_assert_eq!(new.stats().live, 0);
    }
}

/// bindings 1.60: as much as a session had left is all that a packet leaves it that must refresh
/// nothing, though that is less than its timer.
#[test]
fn rfc4787_req6a_an_imported_session_is_not_refreshed_where_no_packet_from_outside_may() {
    let quiet = |config: &mut Config| config.inbound_refresh = false;
    let mut old = nat(&["192.0.2.1"], quiet);
    let flow = udp("10.0.0.1:5000", "203.0.113.1:443");
    let (_, outside) = open(&mut old, at(1000), &flow);
    let bytes = exported(&old, at(1290));
    let mut new = nat(&["192.0.2.1"], quiet);
    new.import(at(0), &bytes).unwrap();
    let Lookup::Session(id) = new.inbound(at(1), &outside.reversed(), Signal::None) else {
        panic!("no session");
    };
    assert_eq!(new.session(id).unwrap().expires_at, at(10));
    assert_eq!(state(&new, id), Some(State::Confirmed));
}

/// A packet that another path carried in time counts, though word of it comes late; one that came
/// too late does not.
#[test]
fn rfc4787_req6_word_of_a_packet_in_time_may_come_after_the_deadline() {
    for (seen_at, lives) in [(299, true), (300, false)] {
        let mut nat = plain();
        let (id, _) = open_both(&mut nat, at(0), &udp("10.0.0.1:5000", "203.0.113.1:443"));
        assert!(nat.pin(id));
        assert_eq!(nat.refresh(at(301), id, at(seen_at)), lives);
        pass(&mut nat, at(598));
        assert_eq!(nat.session(id).is_some(), lives);
        pass(&mut nat, at(600));
        assert!(nat.session(id).is_none());
    }
}

/// A pinned session that ends keeps its port until it is let go.
#[test]
fn a_pinned_session_keeps_its_port_beyond_its_end() {
    let mut nat = nat(&["192.0.2.1"], |config| config.pools[0].ports = 2000..=2000);
    let (id, _) = open(&mut nat, at(0), &udp("10.0.0.1:2000", "203.0.113.1:443"));
    assert!(nat.pin(id));
    nat.close(at(1), id);
    events(&mut nat);
    let other = udp("10.0.0.2:2000", "203.0.113.1:443");
    assert_eq!(
        try_open(&mut nat, at(1), &other),
        Err(Refused::PortsExhausted)
    );
    nat.unpin(at(2), id);
    assert!(try_open(&mut nat, at(2), &other).is_ok());
}
