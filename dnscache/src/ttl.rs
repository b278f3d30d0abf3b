//! TTLs as they may be sent on: bounded, and one for each record set.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::wire::{Message, Record, get_u16, lower_name, put_u32, rtype};

/// RFC 8767 §4: the RECOMMENDED cap, seven days.
const CAP: u32 = 604_800;

/// A TTL with the first bit set is a large one (RFC 8767 §4), and never sent on like that.
pub(crate) fn bounded(ttl: u32) -> u32 {
    ttl.min(CAP)
}

/// Bounds all TTLs of a message, and gives the records of each set the least TTL among them: a set
/// must not be sent with unequal ones (RFC 2181 §5.2).
pub(crate) fn even_out(bytes: &mut [u8]) -> Option<()> {
    let records: Vec<Record> = Message::parse(bytes)?.records().flatten().collect();
    let all_equal = records.windows(2).all(|pair| match pair {
        [one, next] => one.ttl == next.ttl,
        _ => true,
    });
    let mut least = BTreeMap::new();
    if !all_equal {
        for record in &records {
            let ttl = least.entry(set_of(bytes, record)?).or_insert(record.ttl);
            *ttl = record.ttl.min(*ttl);
        }
    }
    for record in records {
        let ttl = match least.is_empty() {
            true => record.ttl,
            false => *least.get(&set_of(bytes, &record)?)?,
        };
        if bounded(ttl) != record.ttl {
            put_u32(bytes, record.ttl_at, bounded(ttl));
        }
    }
    Some(())
}

/// Owner, class and type; of signatures also the type that they cover (RFC 4034 §3).
fn set_of(bytes: &[u8], record: &Record) -> Option<(Box<[u8]>, u16, u16, u16)> {
    let covered = match record.rtype {
        rtype::RRSIG => get_u16(record.rdata(bytes), 0).unwrap_or(0),
        _ => 0,
    };
    let owner = lower_name(bytes, record.owner_at)?;
    Some((owner, record.class, record.rtype, covered))
}
