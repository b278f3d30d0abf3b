//! A keyed hash: clients choose which hosts are mapped.

use core::hash::BuildHasher;
use core::net::Ipv6Addr;

use siphasher::sip::SipHasher13;

/// SipHash-1-3 under a secret key.
#[derive(Debug, Clone)]
pub(crate) struct KeyedHash([u8; 16]);

impl KeyedHash {
    /// From the first half of a seed.
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        let mut key = [0; 16];
        key.iter_mut().zip(seed).for_each(|(to, from)| *to = *from);
        Self(key)
    }

    /// Where the search for an address of this host begins.
    pub(crate) fn of(&self, host: Ipv6Addr) -> u64 {
        self.build_hasher().hash(&host.octets())
    }
}

impl BuildHasher for KeyedHash {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}
