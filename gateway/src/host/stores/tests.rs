//! The journal is real, the store is played.

use std::sync::mpsc::{Receiver, Sender, channel};

use dns46::{Config, Dns46, Settings};
use rustix::event::{PollFd, PollFlags, Timespec};

use super::*;

const NOW: Duration = Duration::from_secs(1000);
const DEADLINE: Duration = Duration::from_millis(200);

struct World {
    stores: Stores,
    work: Receiver<Work>,
    told: Sender<Told>,
    folder: std::path::PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

const fn own(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

fn host(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number)
}

/// 10.0.0.4 to 10.0.0.19 are ours, 10.0.0.0 to 10.0.0.3 are reserved.
fn scope() -> Scope {
    Scope {
        subnet: "10.0.0.0/27".parse().ok(),
        slice: Some(own(4)..=own(19)),
        reserved: Some(own(0)..=own(3)),
        replicas: 1,
    }
}

fn world(name: &str) -> World {
    let folder = std::env::temp_dir().join(format!("stores-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (journal, _) = Journal::open(&folder.join("journal")).unwrap();
    let mut stores = Stores::new(journal, scope());
    let (sent, work) = channel();
    let (told, heard) = channel();
    let shared = Shared::between(sent, heard);
    let unshared = Unshared::open(&folder.join("unshared"));
    let statics = BTreeMap::new();
    stores.share(shared, String::new(), DEADLINE, false, statics, unshared);
    World {
        stores,
        work,
        told,
        folder,
    }
}

/// An operation as `dns46` makes it.
fn operation(make: impl FnOnce(&mut Dns46)) -> StoreOperation {
    let scope = scope();
    let pool = Config::new(scope.subnet.unwrap(), scope.slice.unwrap(), scope.reserved).unwrap();
    let mut dns46 = Dns46::new(Some(pool), Settings::default(), [7; 32]);
    make(&mut dns46);
    core::iter::from_fn(|| dns46.poll_store()).last().unwrap()
}

fn put(address: Ipv4Addr, host: Ipv6Addr) -> StoreOperation {
    operation(|dns46| {
        dns46.load(NOW, [(address, host)]);
        dns46.repair(NOW, []);
    })
}

fn delete(address: Ipv4Addr, host: Ipv6Addr) -> StoreOperation {
    operation(|dns46| {
        dns46.load(NOW, [(address, host)]);
        dns46.remove(NOW, address);
    })
}

impl World {
    fn up(&mut self) {
        self.tell(Told::Up {
            server: "server".to_owned(),
            ours: true,
            is_new: false,
        });
        assert_eq!(self.stores.poll(NOW), None);
        assert!(matches!(
            self.stores.poll_news(),
            Some(News::Up { is_new: false })
        ));
    }

    fn tell(&self, told: Told) {
        self.told.send(told).unwrap();
    }

    /// The operation that the store is asked to do next.
    fn asked(&mut self) -> (u64, StoreAction) {
        for _ in 0..1000 {
            assert_eq!(self.stores.poll(NOW), None);
            if let Ok(Work::Operation { tag, action }) = self.work.try_recv() {
                return (tag, action);
            }
            self.rest();
        }
        panic!("the store is not asked");
    }

    /// The reply to the one operation.
    fn reply(&mut self, now: Duration) -> StoreReply {
        for _ in 0..1000 {
            if let Some((_, reply)) = self.stores.poll(now) {
                return reply;
            }
            self.rest();
        }
        panic!("no reply");
    }

    fn rest(&self) {
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: 5_000_000,
        };
        let mut journal = [PollFd::from_borrowed_fd(self.stores.as_fd(), PollFlags::IN)];
        let _ = rustix::event::poll(&mut journal, Some(&wait));
        self.stores.hush();
    }

    /// What the journal holds an address to be, after everything before.
    fn journal(&mut self, address: Ipv4Addr) -> StoreReply {
        let lease = Duration::ZERO;
        self.stores
            .journal
            .submit(u64::MAX, StoreAction::Get { address, lease });
        for _ in 0..1000 {
            while let Some((number, reply)) = self.stores.journal.poll() {
                if number == u64::MAX {
                    return reply;
                }
            }
            self.rest();
        }
        panic!("the journal does not reply");
    }
}

#[test]
fn a_mapping_is_kept_by_the_journal_then_by_the_store() {
    let mut world = world("kept");
    world.up();
    let operation = put(own(5), host(1));
    world.stores.submit(NOW, operation);
    let (tag, action) = world.asked();
    assert_eq!(action, operation.action);
    world.tell(Told::Reply(tag, StoreReply::Done));
    assert_eq!(world.reply(NOW), StoreReply::Done);
    assert_eq!(world.journal(own(5)), StoreReply::Found(host(1)));
    assert_eq!(world.stores.waiting(), 0);
}

#[test]
fn a_slow_store_is_done_without_and_told_again_if_it_disagrees() {
    let mut world = world("slow");
    world.up();
    world.stores.submit(NOW, put(own(5), host(1)));
    let (tag, _) = world.asked();
    assert_eq!(world.stores.poll_timeout(), Some(NOW + DEADLINE));
    assert_eq!(world.reply(NOW + DEADLINE), StoreReply::Done);
    assert_eq!(world.stores.row(NOW).unwrap().journal_only, 1);
    world.tell(Told::Reply(tag, StoreReply::Conflict(host(2))));
    assert_eq!(world.stores.poll(NOW), None);
    let sent = world.work.try_recv().unwrap();
    assert!(
        matches!(sent, Work::Assert { address, host: ours } if address == own(5) && ours == host(1)),
        "{sent:?}"
    );
}

#[test]
fn what_the_store_has_stands_and_the_journal_follows() {
    let mut world = world("conflict");
    world.up();
    world.stores.submit(NOW, put(own(5), host(1)));
    let (tag, _) = world.asked();
    world.tell(Told::Reply(tag, StoreReply::Conflict(host(2))));
    assert_eq!(world.reply(NOW), StoreReply::Conflict(host(2)));
    assert_eq!(world.journal(own(5)), StoreReply::Found(host(2)));
}

#[test]
fn nothing_is_forgotten_without_the_store() {
    let mut world = world("forget");
    world.stores.submit(NOW, put(own(5), host(1)));
    assert_eq!(world.reply(NOW), StoreReply::Done);
    world.stores.submit(NOW, delete(own(5), host(1)));
    assert_eq!(world.reply(NOW), StoreReply::Failed);
    assert_eq!(world.journal(own(5)), StoreReply::Found(host(1)));
    // So the address is not given to another host meanwhile.
    world.stores.submit(NOW, put(own(5), host(2)));
    assert_eq!(world.reply(NOW), StoreReply::Conflict(host(1)));
    while world.work.try_recv().is_ok() {}
    world.up();
    world.stores.submit(NOW, delete(own(5), host(1)));
    // What comes for the address meanwhile waits for its turn.
    world.stores.submit(NOW, put(own(5), host(2)));
    let (tag, action) = world.asked();
    assert!(matches!(action, StoreAction::Delete { .. }));
    world.tell(Told::Reply(tag, StoreReply::Done));
    assert_eq!(world.reply(NOW), StoreReply::Done);
    let (tag, action) = world.asked();
    assert!(matches!(action, StoreAction::Put { .. }));
    world.tell(Told::Reply(tag, StoreReply::Done));
    assert_eq!(world.reply(NOW), StoreReply::Done);
    assert_eq!(world.journal(own(5)), StoreReply::Found(host(2)));
}

#[test]
fn a_mapping_that_another_replica_uses_stays_in_the_journal() {
    let mut world = world("leased");
    world.up();
    world.stores.submit(NOW, put(own(5), host(1)));
    let (tag, _) = world.asked();
    world.tell(Told::Reply(tag, StoreReply::Done));
    assert_eq!(world.reply(NOW), StoreReply::Done);
    world.stores.submit(NOW, delete(own(5), host(1)));
    let (tag, _) = world.asked();
    world.tell(Told::Reply(tag, StoreReply::Leased));
    assert_eq!(world.reply(NOW), StoreReply::Leased);
    assert_eq!(world.journal(own(5)), StoreReply::Found(host(1)));
}

#[test]
fn without_its_number_a_replica_hands_out_nothing_new() {
    let mut world = world("fenced");
    world.stores.fences = true;
    world.stores.submit(NOW, put(own(5), host(1)));
    assert_eq!(world.reply(NOW), StoreReply::Failed);
    assert_eq!(world.journal(own(5)), StoreReply::Absent);
    world.tell(Told::Held(super::super::redis::client::now()));
    world.stores.poll(NOW);
    world.stores.submit(NOW, put(own(5), host(1)));
    assert_eq!(world.reply(NOW), StoreReply::Done);
    world.tell(Told::Fenced {
        by: "another".to_owned(),
    });
    world.stores.poll(NOW);
    let news = world.stores.poll_news();
    assert!(matches!(news, Some(News::Fenced { .. })), "{news:?}");
}

#[test]
fn an_entry_that_is_set_while_the_store_is_away_is_remembered() {
    let mut world = world("unshared");
    world.stores.submit(NOW, put(own(2), host(1)));
    assert_eq!(world.reply(NOW), StoreReply::Done);
    let path = world.folder.join("unshared");
    assert!(Unshared::open(&path).is_set(own(2)));
    world.up();
    assert!(!Unshared::open(&path).is_set(own(2)));
}

#[test]
fn an_entry_that_is_deleted_while_the_store_is_away_stays_deleted_over_a_restart() {
    let mut world = world("deleted");
    world.stores.follow(own(2), Some(host(1)));
    assert_eq!(world.journal(own(2)), StoreReply::Found(host(1)));
    world.stores.submit(NOW, delete(own(2), host(1)));
    assert_eq!(world.reply(NOW), StoreReply::Done);
    assert_eq!(world.journal(own(2)), StoreReply::Absent);
    while world.work.try_recv().is_ok() {}
    // The next process.
    let path = world.folder.join("unshared");
    world.stores.unshared = Unshared::open(&path);
    world.up();
    let (tag, action) = world.asked();
    let (address, host) = (own(2), host(1));
    assert_eq!(action, StoreAction::Delete { address, host });
    // What the store says until it has done that is not believed.
    let change = |host| Told::Change { address, host };
    world.tell(change(Some(host)));
    assert_eq!(world.stores.poll(NOW), None);
    assert!(world.stores.poll_news().is_none());
    // It failed: another try follows.
    world.tell(Told::Reply(tag, StoreReply::Failed));
    assert_eq!(world.stores.poll(NOW), None);
    let again_at = world.stores.poll_timeout().unwrap();
    assert!(again_at > NOW);
    assert_eq!(world.stores.poll(again_at), None);
    let (tag, action) = world.asked();
    assert_eq!(action, StoreAction::Delete { address, host });
    world.tell(Told::Reply(tag, StoreReply::Done));
    assert_eq!(world.stores.poll(NOW), None);
    assert!(!path.exists());
    // Set again, by anybody, it holds.
    while world.stores.poll_news().is_some() {}
    world.tell(change(Some(host)));
    assert_eq!(world.stores.poll(NOW), None);
    let news = world.stores.poll_news();
    assert!(matches!(news, Some(News::Change { host: Some(_), .. })));
}

#[test]
fn what_was_last_said_of_an_entry_while_the_store_was_away_holds() {
    let mut world = world("last");
    let path = world.folder.join("unshared");
    for (operation, is_set) in [
        (put(own(2), host(1)), true),
        (delete(own(2), host(1)), false),
        (put(own(2), host(3)), true),
    ] {
        world.stores.submit(NOW, operation);
        assert_eq!(world.reply(NOW), StoreReply::Done);
        let kept = Unshared::open(&path);
        assert_eq!(
            (kept.is_set(own(2)), kept.gone().count()),
            (is_set, usize::from(!is_set))
        );
    }
    std::fs::write(&path, "-10.0.0.2\n-x y\n10.0.0\n\n").unwrap();
    assert_eq!(Unshared::open(&path).gone().count(), 0);
}

#[test]
fn the_journal_follows_an_operators_entry() {
    let mut world = world("follow");
    world.stores.follow(own(2), Some(host(7)));
    assert_eq!(world.journal(own(2)), StoreReply::Found(host(7)));
    world.stores.follow(own(2), Some(host(8)));
    assert_eq!(world.journal(own(2)), StoreReply::Found(host(8)));
    world.stores.follow(own(2), None);
    assert_eq!(world.journal(own(2)), StoreReply::Absent);
    // Other replicas' mappings are not ours to keep.
    world.stores.follow(own(25), Some(host(9)));
    assert_eq!(world.journal(own(25)), StoreReply::Absent);
}
