//! `mappings measure`: the store's part of a new mapping, from the operation to its acknowledgement.

use alloc::collections::BTreeMap;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;
use std::io::{self, Write};
use std::process::ExitCode;

use dns46::{StoreAction, StoreReply};
use redis::cmd;
use rustix::event::EventfdFlags;

use crate::host::redis::client::{self, Told, Work};
use crate::host::redis::identity::Identity;
use crate::host::redis::keys::Keys;
use crate::host::redis::location::Location;
use crate::host::redis::wire::{list, string};
use crate::host::redis::{Scope, Shared, sentinel};

/// How long the store may be silent.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(store: &str, count: u32, waiting: u32) -> ExitCode {
    let done = store
        .parse::<Location>()
        .map_err(Into::into)
        .and_then(|location| measure(location, count, waiting));
    match done {
        Ok(told) => {
            let _ = io::stdout().lock().write_all(told.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}

fn measure(
    mut location: Location,
    count: u32,
    waiting: u32,
) -> Result<String, Box<dyn core::error::Error>> {
    let mark = format!("measure-{}:", std::process::id());
    location.keys = Keys {
        hosts: format!("{mark}h"),
        addresses: format!("{mark}a"),
        own: format!("{mark}o"),
    };
    let folder = std::env::temp_dir().join(format!("egress-{mark}"));
    std::fs::create_dir_all(&folder)?;
    let told = write(&location, &folder, count, waiting);
    // Twice: meanwhile the thread may have said that it lives.
    let swept = sweep(&location, &mark).and_then(|()| sweep(&location, &mark));
    std::fs::remove_dir_all(&folder)?;
    let told = told?;
    swept?;
    Ok(told)
}

fn write(
    location: &Location,
    folder: &std::path::Path,
    count: u32,
    waiting: u32,
) -> Result<String, Box<dyn core::error::Error>> {
    let first = Ipv4Addr::new(10, 0, 0, 0);
    let scope = Scope {
        subnet: "10.0.0.0/8".parse().ok(),
        slice: Some(first..=Ipv4Addr::new(10, 255, 255, 255)),
        reserved: None,
        replicas: 1,
    };
    let identity = Identity::of(folder, 0)?;
    let bell = rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
    let (own, known) = (BTreeMap::new(), BTreeMap::new());
    let shared = Shared::start(location, scope, identity, own, known, bell)?;
    loop {
        match shared.wait(PATIENCE) {
            Some(Told::Up { .. }) => break,
            Some(Told::Away { why }) => return Err(why.into()),
            Some(_) => {}
            None => return Err("the store is away".into()),
        }
    }
    let start = client::now();
    let (mut sent, mut back, mut failed) = (0, 0, 0);
    while back < count {
        while sent < count && sent - back < waiting {
            let action = StoreAction::Put {
                address: Ipv4Addr::from_bits(first.to_bits() + sent + 1),
                host: Ipv6Addr::from_bits((0x2001_0db8 << 96) | (u128::from(sent) + 1)),
            };
            let tag = sent.into();
            shared.submit(Work::Operation { tag, action });
            sent += 1;
        }
        match shared.wait(PATIENCE) {
            Some(Told::Reply(_, reply)) => {
                back += 1;
                failed += u32::from(reply != StoreReply::Done);
            }
            Some(_) => {}
            None => return Err("the store does not reply".into()),
        }
    }
    let took = start.elapsed();
    let rate = f64::from(count) / took.as_secs_f64();
    Ok(format!(
        "{count} mappings in {:.2} s, {rate:.0} a second, {failed} of them not acknowledged\n",
        took.as_secs_f64()
    ))
}

fn sweep(location: &Location, mark: &str) -> Result<(), Box<dyn core::error::Error>> {
    let mut connection = sentinel::connect(location, PATIENCE)?;
    let mut cursor = "0".to_owned();
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(&cursor)
            .arg("MATCH")
            .arg(Keys::pattern(mark))
            .arg("COUNT")
            .arg(1000);
        let mut reply = list(connection.ask(scan)?).into_iter();
        cursor = reply.next().as_ref().and_then(string).unwrap_or_default();
        let keys = list(reply.next().unwrap_or_default());
        let keys: Vec<String> = keys.iter().filter_map(string).collect();
        if !keys.is_empty() {
            let mut unlink = cmd("UNLINK");
            unlink.arg(&keys);
            connection.ask(unlink)?;
        }
        if cursor == "0" || cursor.is_empty() {
            return Ok(());
        }
    }
}
