//! The maximum segment size that SYNs announce (RFC 9293 §3.7.1), lowered to what the links carry.

use crate::bytes::{get16, put16};
use crate::checksum::{Sum, update};
use crate::{Links, MssClamp};

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;

/// The bound of a policy; `None` for none.
pub(super) fn bound(policy: MssClamp, links: Links, from_ipv6: bool, to_ipv6: bool) -> Option<u16> {
    let fits = |mtu: u32, ipv6: bool| mtu.saturating_sub(if ipv6 { 60 } else { 40 });
    match policy {
        MssClamp::Off => None,
        MssClamp::Max(most) => Some(most),
        MssClamp::Auto => {
            let most = fits(links.mtu_in, from_ipv6).min(fits(links.mtu_out, to_ipv6));
            Some(u16::try_from(most).unwrap_or(u16::MAX))
        }
    }
}

/// Lowers the option in the TCP header `header`; `full`: its checksum is not a partial one.
pub(super) fn clamp(most: u16, full: bool, header: &mut [u8]) {
    let mut at = 20;
    // Every step is at least one byte long, and the header at most 60.
    while let Some(kind) = header.get(at).copied() {
        let len = match (kind, header.get(at + 1)) {
            (END, _) | (_, None) => return,
            (NO_OPERATION, _) => 1,
            (_, Some(len)) => usize::from(*len),
        };
        if len == 0 || (len < 2 && kind != NO_OPERATION) {
            return;
        }
        if kind == MAXIMUM_SEGMENT_SIZE && len == 4 {
            lower(at + 2, most, full, header);
            return;
        }
        at += len;
    }
}

fn lower(at: usize, most: u16, full: bool, header: &mut [u8]) {
    let Some(size) = get16(header, at).filter(|size| *size > most) else {
        return;
    };
    put16(header, at, most);
    if let Some(checksum) = get16(header, 16).filter(|_| full) {
        // At an odd offset the two bytes belong to two words: their sum is that of the swapped ones.
        let weight = |value: u16| {
            if at.is_multiple_of(2) {
                value
            } else {
                value.swap_bytes()
            }
        };
        let delta = Sum::ZERO
            .word(weight(most).into())
            .minus(Sum::ZERO.word(weight(size).into()));
        put16(header, 16, update(checksum, delta.folded()));
    }
}
