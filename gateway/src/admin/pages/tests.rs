use core::sync::atomic::{AtomicBool, Ordering};
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use egress_config::{Plan, Sources};
use egress_gateway::sim::craft;
use egress_gateway::{BUFFER, Gateway, Side, Verdict};
use nat46::{HEADROOM, PacketBuf};
use rustix::event::{PollFd, PollFlags, Timespec};
use serde_json::Value;

use super::*;
use crate::admin::answer::{self, answer};
use crate::admin::client;
use crate::admin::server::Admin;
use crate::cli::{Captures, Events, Questions};

const SESSIONS: usize = 3000;
const MAPPINGS: usize = 9000;

/// A plan with room for as many static entries as there are to be.
fn plan() -> Plan {
    let set = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/sets/mixed");
    let mut sources = Sources::new();
    sources.read_path(&set).unwrap();
    let mut plan = egress_config::check(&sources).plan(0).unwrap();
    let dns46 = plan.dns46.as_mut().unwrap();
    let at = |text: &str| -> Ipv4Addr { text.parse().unwrap() };
    dns46.subnet = "10.46.0.0/16".parse().unwrap();
    dns46.reserved = Some(at("10.46.0.0")..=at("10.46.63.255"));
    dns46.slice = at("10.46.64.0")..=at("10.46.159.255");
    dns46.usable = dns46.slice.clone();
    plan
}

fn open(gateway: &mut Gateway, port: u16) {
    let mut buffer = vec![0; BUFFER];
    let from = (Ipv4Addr::new(10, 244, 1, 10), port).into();
    let to = (Ipv4Addr::new(198, 51, 100, 7), 443).into();
    let packet = craft::udp(from, to, &[]);
    let place = HEADROOM..HEADROOM + packet.len();
    buffer[place.clone()].copy_from_slice(&packet);
    let mut buf = PacketBuf::new(&mut buffer, place).unwrap();
    let verdict = gateway.handle_packet(Duration::ZERO, Side::Inside, &mut buf);
    assert_eq!(verdict, Verdict::Forward);
}

/// Of a large subnet, pages of free addresses are not asked for one by one.
#[test]
fn free_addresses_take_no_pages() {
    let mut plan = plan();
    let dns46 = plan.dns46.as_mut().unwrap();
    dns46.subnet = "100.64.0.0/10".parse().unwrap();
    dns46.reserved = None;
    dns46.slice = dns46.subnet.network()..=dns46.subnet.broadcast();
    dns46.usable = dns46.slice.clone();
    let mut gateway = Gateway::new(&plan, [7; 32]).unwrap();
    let addresses = [[100, 64, 0, 1], [100, 65, 0, 7], [100, 127, 255, 254]].map(Ipv4Addr::from);
    let host = |address: Ipv4Addr| address.to_ipv6_compatible();
    let mappings = addresses.map(|address| (address, host(address)));
    assert_eq!(gateway.load(Duration::ZERO, mappings), 3);
    let (mut found, mut pages, mut from) = (Vec::new(), 0, Some(Ipv4Addr::UNSPECIFIED));
    while let Some(at) = from {
        let page = answer::mappings(Duration::ZERO, &gateway, &plan, at);
        found.extend(page.rows.into_iter().map(|mapping| mapping.address));
        pages += 1;
        from = page.next;
    }
    assert_eq!(found, addresses);
    assert!(pages < 12, "{pages} pages");
}

/// Every answer of the data thread is short, and there is one a turn; together they are whole, also to two
/// that ask at once.
#[test]
fn long_answers_come_whole_from_short_pages() {
    let plan = plan();
    let mut gateway = Gateway::new(&plan, [7; 32]).unwrap();
    for port in 0..SESSIONS {
        open(&mut gateway, 20_000 + u16::try_from(port).unwrap());
    }
    let folder = std::env::temp_dir().join(format!("egress-pages-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let socket = folder.join("admin.sock");
    let admin = Admin::listen(&socket).unwrap();
    let is_over = AtomicBool::new(false);
    let turns = Mutex::new(Vec::new());
    let get = |path: &str| -> Value {
        serde_json::from_slice(&client::send(&socket, "GET", path, &[]).unwrap()).unwrap()
    };
    let (seen, over) = (&turns, &is_over);
    let (gateway, of) = (&mut gateway, &plan);
    thread::scope(|scope| {
        scope.spawn(move || {
            let (mut captures, mut questions) = (Captures::default(), Questions::default());
            let events = Events::default();
            while !over.load(Ordering::Relaxed) {
                let mut bell = [PollFd::new(&admin, PollFlags::IN)];
                let wait = Timespec {
                    tv_sec: 0,
                    tv_nsec: 1_000_000,
                };
                let _ = rustix::event::poll(&mut bell, Some(&wait));
                let mut rows = Vec::new();
                admin.serve(|request, reply| {
                    let answer = answer(
                        Duration::ZERO,
                        gateway,
                        of,
                        &events,
                        &mut captures,
                        &mut questions,
                        request,
                    );
                    rows.push(match &answer {
                        Answer::Sessions(page) => page.rows.len(),
                        Answer::Mappings(page) => page.rows.len(),
                        Answer::Imported(imported) => imported.set,
                        _ => 0,
                    });
                    reply.send(answer);
                });
                seen.lock().unwrap().push(rows);
            }
        });
        let entries: Vec<Value> = (0..MAPPINGS as u32)
            .map(|number| {
                serde_json::json!({
                    "address": Ipv4Addr::from_bits(0x0a2e_0001 + number),
                    "host": format!("2001:db8::{number:x}"),
                })
            })
            .collect();
        let body = Value::Array(entries).to_string();
        let told = client::send(&socket, "POST", "/mappings", body.as_bytes()).unwrap();
        let told: Value = serde_json::from_slice(&told).unwrap();
        assert_eq!(told["set"], MAPPINGS, "{told}");
        let both = [
            scope.spawn(|| get("/sessions")),
            scope.spawn(|| get("/sessions")),
        ];
        for sessions in both {
            let sessions = sessions.join().unwrap();
            let sessions = sessions.as_array().unwrap();
            let mut clients: Vec<&str> = sessions
                .iter()
                .map(|session| session["client"].as_str().unwrap())
                .collect();
            clients.sort_unstable();
            clients.dedup();
            assert_eq!(clients.len(), SESSIONS);
        }
        let mappings = get("/mappings");
        let mappings = mappings.as_array().unwrap();
        assert_eq!(mappings.len(), MAPPINGS);
        assert_eq!(mappings[MAPPINGS - 1]["host"], "2001:db8::2327");
        assert_eq!(get("/stats")["mappings"]["static"], MAPPINGS);
        let cells = get("/status")["occupancy"]["stretches"][0]["cells"].clone();
        let live = cells.as_array().unwrap().iter();
        let live: u64 = live.map(|cell| cell["live"].as_u64().unwrap()).sum();
        assert_eq!(live, MAPPINGS as u64);
        let traced =
            get("/trace?source=10.244.1.10:20017&destination=198.51.100.7:443&protocol=udp");
        assert!(traced.to_string().contains("10.244.1.10:20017 leaves as"));
        is_over.store(true, Ordering::Relaxed);
    });
    for rows in turns.into_inner().unwrap() {
        assert!(rows.len() <= 1, "{rows:?}");
        assert!(
            rows.iter().all(|rows| *rows <= ADDRESSES as usize),
            "{rows:?}"
        );
    }
    let _ = std::fs::remove_dir_all(&folder);
}

/// No list is closed that is not whole.
#[test]
fn a_list_that_cannot_go_on_is_not_one() {
    let plan = plan();
    let mut gateway = Gateway::new(&plan, [7; 32]).unwrap();
    open(&mut gateway, 20_000);
    let folder = std::env::temp_dir().join(format!("egress-cut-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let socket = folder.join("admin.sock");
    let admin = Admin::listen(&socket).unwrap();
    let mut asked = 0;
    let told = thread::scope(|scope| {
        let asks = scope.spawn(|| client::send(&socket, "GET", "/sessions", &[]));
        while asked < 2 {
            let mut bell = [PollFd::new(&admin, PollFlags::IN)];
            let _ = rustix::event::poll(&mut bell, None);
            admin.serve(|request, reply| {
                asked += 1;
                let Request::Sessions { from } = request else {
                    panic!("{request:?}")
                };
                if *from == 0 {
                    let rows = gateway.sessions_in(0..SLOTS).collect();
                    let at = Duration::ZERO;
                    let next = Some(SLOTS);
                    reply.send(Answer::Sessions(Page { at, rows, next }));
                }
            });
        }
        asks.join().unwrap()
    });
    let is_list = |body: Vec<u8>| serde_json::from_slice::<Value>(&body).is_ok();
    assert!(!told.is_ok_and(is_list));
    let _ = std::fs::remove_dir_all(&folder);
}
