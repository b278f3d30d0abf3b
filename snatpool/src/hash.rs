//! Keyed hashes: clients and peers choose the keys of every table here.

use siphasher::sip::SipHasher13;

use crate::record::Octets;

/// What a hash is for, so that equal bytes in two tables land apart.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Purpose {
    Outbound = 1,
    Inbound,
    Client,
    BindingInside,
    BindingOutside,
    Correspondent,
    Ports,
    Shuffle,
    Guess,
    Fragment,
    FragmentSource,
    Notice,
}

/// SipHash-1-3 under the caller's seed.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    tables: SipHasher13,
    ports: SipHasher13,
}

impl Keys {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let (words, _) = seed.as_chunks::<8>();
        let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or_default();
        Self {
            tables: SipHasher13::new_with_keys(next(), next()),
            ports: SipHasher13::new_with_keys(next(), next()),
        }
    }

    /// Where a key stands in a table. Its first byte must be a [`Purpose`].
    #[inline]
    pub(crate) fn place(&self, key: &[u8]) -> u64 {
        self.tables.hash(key)
    }

    /// The same of a number, whose lowest byte is the [`Purpose`], and an address.
    #[inline]
    pub(crate) fn place_pair(&self, head: u64, address: Octets) -> u64 {
        self.place(&pair(head, address))
    }

    /// A number that nobody outside can guess (RFC 6056 §3.4). Its first byte must be a
    /// [`Purpose`].
    pub(crate) fn secret(&self, key: &[u8]) -> u64 {
        self.ports.hash(key)
    }

    /// The same of a number, whose lowest byte is the [`Purpose`], and an address.
    pub(crate) fn secret_pair(&self, head: u64, address: Octets) -> u64 {
        self.secret(&pair(head, address))
    }
}

#[inline]
fn pair(head: u64, address: Octets) -> [u8; 24] {
    let mut bytes = [0; 24];
    let (front, back) = bytes.split_at_mut(8);
    front.copy_from_slice(&head.to_le_bytes());
    back.copy_from_slice(&address.0);
    bytes
}

/// The high half of a hash, scaled to `0..count`.
#[inline]
pub(crate) const fn scale(hash: u64, count: usize) -> usize {
    (((hash >> 32) * count as u64) >> 32) as usize
}
