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
    Top,
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

    /// Where a key stands in a table. One of its bytes must be a [`Purpose`].
    #[inline]
    pub(crate) fn place(&self, key: &[u8]) -> u64 {
        self.tables.hash(key)
    }

    /// The same of a number, whose lowest byte is the [`Purpose`], and an address.
    #[inline]
    pub(crate) fn place_pair(&self, head: u64, address: Octets) -> u64 {
        self.place(&pair(head, address))
    }

    /// The same of a number of 48 bits, whose lowest byte is the [`Purpose`], and two addresses. The
    /// number comes last: six bytes share the block of the length, which spares a round.
    #[inline]
    pub(crate) fn place_both(&self, head: u64, one: Octets, other: Octets) -> u64 {
        let ([a, b], [c, d]) = (one.words(), other.words());
        let mut bytes = [0; 40];
        write(&mut bytes, [a, b, c, d, head]);
        let [meant @ .., _, _] = &bytes;
        self.place(meant)
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
    let [one, two] = address.words();
    let mut bytes = [0; 24];
    write(&mut bytes, [head, one, two]);
    bytes
}

/// Writes whole words, as the hash will read them.
#[inline]
fn write<const N: usize>(bytes: &mut [u8], words: [u64; N]) {
    let (places, _) = bytes.as_chunks_mut::<8>();
    for (place, word) in places.iter_mut().zip(words) {
        *place = word.to_le_bytes();
    }
}

/// The part of a hash that says where in a table a key is at home; the rest tells its neighbours
/// from it.
#[inline]
pub(crate) const fn home(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// A [`home`], scaled to `0..count`.
#[inline]
pub(crate) const fn scale(home: u32, count: usize) -> usize {
    ((home as u64 * count as u64) >> 32) as usize
}
