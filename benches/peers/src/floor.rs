//! A floor for each direction of translation.
//!
//! A floor is what no translator can avoid: the new header, one incremental checksum (RFC 1624),
//! nothing checked, nothing decided. It takes TCP without IP options or extension headers on trust.

use core::net::{Ipv4Addr, Ipv6Addr};

/// Bytes by which the IPv6 header is longer than the IPv4 header.
pub const GROWTH: usize = 20;

/// Translates the IPv4 packet at `buffer[20..]` into the IPv6 packet at `buffer[0..]`.
///
/// # Panics
/// If the buffer ends within the headers.
pub fn to_ipv6(buffer: &mut [u8], source: Ipv6Addr, destination: Ipv6Addr) {
    let (header, transport) = buffer.split_at_mut(40);
    let traffic_class = header[21];
    let payload_length = u16::from_be_bytes([header[22], header[23]]) - 20;
    let hop_limit = header[28] - 1;
    let protocol = header[29];
    let old = word_sum(&header[32..40]);
    let new = word_sum(&source.octets()) + word_sum(&destination.octets());

    header[0] = 0x60 | traffic_class >> 4;
    header[1] = traffic_class << 4;
    header[2..4].fill(0);
    header[4..6].copy_from_slice(&payload_length.to_be_bytes());
    header[6] = protocol;
    header[7] = hop_limit;
    header[8..24].copy_from_slice(&source.octets());
    header[24..40].copy_from_slice(&destination.octets());
    adjust(&mut transport[16..18], old, new);
}

/// Translates the IPv6 packet at `buffer[0..]` into the IPv4 packet at `buffer[20..]`.
///
/// # Panics
/// If the buffer ends within the headers.
pub fn to_ipv4(buffer: &mut [u8], source: Ipv4Addr, destination: Ipv4Addr) {
    let (header, transport) = buffer.split_at_mut(40);
    let traffic_class = header[0] << 4 | header[1] >> 4;
    let total_length = u16::from_be_bytes([header[4], header[5]]) + 20;
    let next_header = header[6];
    let hop_limit = header[7] - 1;
    let old = word_sum(&header[8..40]);
    let new = word_sum(&source.octets()) + word_sum(&destination.octets());
    // Summed from what is written, not read again from where it was just written.
    let sum = 0x4500 + u32::from(traffic_class) + u32::from(total_length) + 0x4000 + new;
    let sum = sum + (u32::from(hop_limit) << 8) + u32::from(next_header);

    header[20] = 0x45;
    header[21] = traffic_class;
    header[22..24].copy_from_slice(&total_length.to_be_bytes());
    header[24..26].fill(0);
    header[26..28].copy_from_slice(&[0x40, 0]);
    header[28] = hop_limit;
    header[29] = next_header;
    header[30..32].copy_from_slice(&(!fold(sum)).to_be_bytes());
    header[32..36].copy_from_slice(&source.octets());
    header[36..40].copy_from_slice(&destination.octets());
    adjust(&mut transport[16..18], old, new);
}

/// Sum of the 16-bit words of an even number of bytes.
fn word_sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(2);
    words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum()
}

/// RFC 1624, equation 3, for sums of words.
fn adjust(checksum: &mut [u8], old: u32, new: u32) {
    let before = u16::from_be_bytes([checksum[0], checksum[1]]);
    let after = !fold(u32::from(!before) + u32::from(!fold(old)) + new);
    checksum.copy_from_slice(&after.to_be_bytes());
}

fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    ((once & 0xffff) + (once >> 16)) as u16
}
