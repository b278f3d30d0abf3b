//! The cache as bytes, so that a restart does not begin with an empty one.

use core::time::Duration;

use siphasher::sip::SipHasher13;

use super::Resolver;
use crate::entry::Entry;
use crate::key::{Key, Variant};
use crate::understand::{self, Kind};
use crate::wire::Message;

/// What dumps begin with: a name, and the version of all that follows.
const HEADER: [u8; 8] = *b"DNSCACH\x01";
/// Length of the message, DO and CD, tag, check.
const RECORD: usize = 2 + 1 + 1 + 4;
/// How many slots one call looks at.
const PER_CALL: u32 = 4_096;

/// How far a dump of the cache has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DumpCursor {
    next: u32,
    done: bool,
}

impl DumpCursor {
    /// Whether everything was written.
    #[must_use]
    pub const fn is_done(self) -> bool {
        self.done
    }
}

/// What became of the records of a dump.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded {
    /// Answers that are in the cache now.
    pub added: u64,
    /// Answers that were here already, or came in meanwhile: those stay.
    pub known: u64,
    /// Records with bytes that no dump writes, or with no answer in them.
    pub damaged: u64,
    /// Answers of a zone that this configuration does not cache.
    pub foreign: u64,
}

/// Bytes that are no dump at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// They begin with something else.
    #[error("not a dump of a DNS cache")]
    NoDump,
    /// Of a version that this one does not read.
    #[error("a dump of version {found}: this reads version {}", HEADER[7])]
    Version {
        /// Its version.
        found: u8,
    },
}

impl Resolver {
    /// The least room that [`dump`](Self::dump) needs: for the longest message.
    pub const DUMP_LEN: usize = HEADER.len() + RECORD + u16::MAX as usize;

    /// Writes plain answers that hold, from where `cursor` stands on, as many as fit, and returns the
    /// length. TTLs are as they are now. Each piece stands for itself; queries may be answered in
    /// between. Derived answers and failures are left out.
    pub fn dump(&self, now: Duration, cursor: &mut DumpCursor, out: &mut [u8]) -> usize {
        let mut at = HEADER.len();
        match out.first_chunk_mut() {
            Some(place) => *place = HEADER,
            None => return 0,
        }
        let stop = cursor.next.saturating_add(PER_CALL);
        while cursor.next < stop {
            if cursor.next >= self.store.slots() {
                cursor.done = true;
                break;
            }
            if let Some((entry, variant)) = self.store.kept(now, cursor.next) {
                let rest = out.get_mut(at..).unwrap_or_default();
                match write(now, entry, variant, rest) {
                    Some(length) => at += length,
                    None => break,
                }
            }
            cursor.next += 1;
        }
        if at == HEADER.len() { 0 } else { at }
    }

    /// Takes the answers of a dump into the cache, as if their servers had just given them with the TTLs
    /// that were left. `elapsed` is how long ago it was written, as far as that is known. What is in the
    /// cache already stays.
    ///
    /// A dump is as trustworthy as the file it comes from: its records are checked for damage, and read
    /// as replies of servers are, but whoever may write the file may write answers.
    ///
    /// # Errors
    /// [`LoadError`] for bytes that do not begin as a dump does. Nothing was taken.
    pub fn load(
        &mut self,
        now: Duration,
        elapsed: Duration,
        bytes: &[u8],
    ) -> Result<Loaded, LoadError> {
        let mut rest = match bytes.split_first_chunk::<{ HEADER.len() }>() {
            Some((header, rest)) if *header == HEADER => rest,
            Some((&[name @ .., found], _)) if HEADER.starts_with(&name) => {
                return Err(LoadError::Version { found });
            }
            Some(_) | None => return Err(LoadError::NoDump),
        };
        let mut loaded = Loaded::default();
        while !rest.is_empty() {
            let Some((record, behind)) = read(rest) else {
                loaded.damaged += 1;
                break;
            };
            rest = behind;
            let count = match record.and_then(|record| self.take(now, elapsed, record)) {
                Ok(true) => &mut loaded.added,
                Ok(false) => &mut loaded.known,
                Err(Why::Damaged) => &mut loaded.damaged,
                Err(Why::Foreign) => &mut loaded.foreign,
            };
            *count += 1;
        }
        Ok(loaded)
    }

    fn take(&mut self, now: Duration, elapsed: Duration, record: Record<'_>) -> Result<bool, Why> {
        let message = Message::parse(record.message).ok_or(Why::Damaged)?;
        let key = Key::new(self.store.hash, message.question, record.variant);
        let crate::zone::Route::Ask(zone) = self.forwarder.zones.route(key.name()) else {
            return Err(Why::Foreign);
        };
        if !self.forwarder.zones.is_cached(zone) {
            return Err(Why::Foreign);
        }
        let understood = understand::understand(record.message).map_err(|_| Why::Damaged)?;
        let key = if understood.kind == Kind::NameError && understood.direct {
            key.with_type(0)
        } else {
            key
        };
        if self.store.probe(now, &key.asked()).is_some() {
            return Ok(false);
        }
        let mut entry = Entry::new(now, understood, record.tag).ok_or(Why::Damaged)?;
        entry.zone = u16::try_from(zone.0).unwrap_or(u16::MAX);
        entry.grow_older(elapsed);
        self.store.insert(now, &key, entry, 0);
        Ok(self.store.probe(now, &key.asked()).is_some())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Damaged,
    Foreign,
}

#[derive(Debug, Clone, Copy)]
struct Record<'a> {
    message: &'a [u8],
    variant: Variant,
    tag: u8,
}

/// `None` if it does not fit.
fn write(now: Duration, entry: &Entry, variant: Variant, out: &mut [u8]) -> Option<usize> {
    let length = entry.message().len();
    let end = RECORD.checked_add(length)?;
    let (head, message) = out.get_mut(..end)?.split_first_chunk_mut::<RECORD>()?;
    entry.write_aged(now, message);
    let [high, low] = u16::try_from(length).ok()?.to_be_bytes();
    let variant = u8::from(variant.dnssec_ok()) | u8::from(variant.checking_disabled()) << 1;
    let [a, b, c, d] = check([high, low, variant, entry.tag], message);
    *head = [high, low, variant, entry.tag, a, b, c, d];
    Some(end)
}

/// A record and what is behind it; `None` where no further one can be found.
fn read(bytes: &[u8]) -> Option<(Result<Record<'_>, Why>, &[u8])> {
    let (&[high, low, variant, tag, a, b, c, d], rest) = bytes.split_first_chunk::<RECORD>()?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let (message, rest) = rest.split_at_checked(length)?;
    let whole = check([high, low, variant, tag], message) == [a, b, c, d];
    let record = Record {
        message,
        variant: Variant::new(variant & 1 != 0, variant & 2 != 0, 0),
        tag,
    };
    Some((whole.then_some(record).ok_or(Why::Damaged), rest))
}

/// Against bytes that were cut or changed by accident: it is no secret.
fn check(head: [u8; 4], message: &[u8]) -> [u8; 4] {
    let mut bytes = [0; 12];
    let hash = SipHasher13::new().hash(message).to_le_bytes();
    if let Some((first, second)) = bytes.split_first_chunk_mut::<4>() {
        *first = head;
        second.copy_from_slice(&hash);
    }
    (SipHasher13::new().hash(&bytes) as u32).to_be_bytes()
}
