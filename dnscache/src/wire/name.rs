//! Domain names in wire form (RFC 1035 §3.1, §4.1.4).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::{HEADER_BYTES, NAME_BYTES};

/// More pointers than a name can have labels are an attempt to waste time.
const POINTERS: u8 = 128;

/// A domain name: uncompressed wire form, ASCII letters in lower case (RFC 4343 §3), always absolute.
///
/// ```
/// use dnscache::Name;
///
/// let name: Name = "WWW.Example.com".parse()?;
/// assert_eq!(name.as_wire(), b"\x03www\x07example\x03com\x00");
/// assert!(name.is_within(&"example.com.".parse()?));
/// assert_eq!(name.to_string(), "www.example.com.");
/// # Ok::<(), dnscache::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    wire: Box<[u8]>,
}

/// Why a text or a run of bytes is no domain name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// A label of no octet that is not the root.
    #[error("a label is empty")]
    EmptyLabel,
    /// RFC 1035 §2.3.4: a label has at most 63 octets.
    #[error("a label has {found} octets, at most 63 are allowed")]
    LongLabel {
        /// Octets of the label.
        found: usize,
    },
    /// RFC 1035 §2.3.4: a name has at most 255 octets.
    #[error("the name has {found} octets, at most 255 are allowed")]
    LongName {
        /// Octets of the name, or as many as were counted.
        found: usize,
    },
    /// A `\` that is followed neither by three digits up to 255 nor by a character.
    #[error("a backslash is not followed by a character or three digits up to 255")]
    BadEscape,
    /// The bytes end within the name, or go on after it, or hold a compression pointer.
    #[error("the bytes are not one uncompressed name")]
    BadWire,
}

impl Name {
    /// The root: the suffix of every name.
    pub fn root() -> Self {
        Self {
            wire: Box::new([0]),
        }
    }

    /// Takes exactly one uncompressed name.
    ///
    /// # Errors
    /// [`NameError::BadWire`] if the bytes are anything else.
    pub fn from_wire(wire: &[u8]) -> Result<Self, NameError> {
        if wire.len() > NAME_BYTES {
            return Err(NameError::LongName { found: wire.len() });
        }
        let mut lower = [0; NAME_BYTES];
        let (length, end) = expand(wire, 0, &mut lower).ok_or(NameError::BadWire)?;
        // An uncompressed name takes as many octets as it expands to.
        if end != wire.len() || length != end {
            return Err(NameError::BadWire);
        }
        let mut lower: Box<[u8]> = lower.get(..length).unwrap_or_default().into();
        lowercase(&mut lower);
        Ok(Self { wire: lower })
    }

    /// The wire form, in lower case, with the root's zero octet at the end.
    pub fn as_wire(&self) -> &[u8] {
        &self.wire
    }

    /// Whether this name is `zone` or below it.
    pub fn is_within(&self, zone: &Self) -> bool {
        Labels::new(&self.wire).any(|suffix| *suffix == *zone.wire)
    }
}

impl FromStr for Name {
    type Err = NameError;

    /// Reads presentation form (RFC 1035 §5.1), with or without the final dot; `.` is the root.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let text = text.as_bytes();
        if text == b"." {
            return Ok(Self::root());
        }
        let mut wire: Vec<u8> = Vec::with_capacity(text.len().saturating_add(2));
        let mut label: Vec<u8> = Vec::new();
        let mut rest = text;
        loop {
            let (octet, after, ends) = match rest {
                [] => (None, rest, true),
                [b'.', after @ ..] => (None, after, true),
                [
                    b'\\',
                    a @ b'0'..=b'9',
                    b @ b'0'..=b'9',
                    c @ b'0'..=b'9',
                    after @ ..,
                ] => {
                    let value = [a, b, c]
                        .iter()
                        .fold(0u16, |sum, digit| sum * 10 + u16::from(**digit - b'0'));
                    let octet = u8::try_from(value).map_err(|_| NameError::BadEscape)?;
                    (Some(octet), after, false)
                }
                [b'\\', b'0'..=b'9', ..] | [b'\\'] => return Err(NameError::BadEscape),
                [b'\\', octet, after @ ..] | [octet, after @ ..] => (Some(*octet), after, false),
            };
            label.extend(octet.map(|octet| octet.to_ascii_lowercase()));
            if ends {
                if label.is_empty() {
                    return Err(NameError::EmptyLabel);
                }
                if label.len() > 63 {
                    return Err(NameError::LongLabel { found: label.len() });
                }
                wire.extend(u8::try_from(label.len()));
                wire.append(&mut label);
                if after.is_empty() {
                    break;
                }
            }
            rest = after;
        }
        wire.push(0);
        if wire.len() > NAME_BYTES {
            return Err(NameError::LongName { found: wire.len() });
        }
        Ok(Self { wire: wire.into() })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self.wire == [0] {
            return f.write_str(".");
        }
        for suffix in Labels::new(&self.wire) {
            let Some((length, rest)) = suffix.split_first() else {
                break;
            };
            for octet in rest.iter().take(usize::from(*length)) {
                match octet {
                    b'.' | b'\\' | b'"' | b';' | b'@' | b'$' | b'(' | b')' => {
                        write!(f, "\\{}", char::from(*octet))?;
                    }
                    0x21..=0x7e => write!(f, "{}", char::from(*octet))?,
                    0..=0x20 | 0x7f..=0xff => write!(f, "\\{octet:03}")?,
                }
            }
            if *length != 0 {
                f.write_str(".")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// The suffixes of an uncompressed name, longest first, the root last.
#[derive(Debug, Clone)]
pub(crate) struct Labels<'a> {
    rest: &'a [u8],
}

impl<'a> Labels<'a> {
    pub(crate) fn new(wire: &'a [u8]) -> Self {
        Self { rest: wire }
    }
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let suffix = self.rest;
        let (length, after) = suffix.split_first()?;
        self.rest = match length {
            0 => &[],
            _ => after.get(usize::from(*length)..).unwrap_or_default(),
        };
        Some(suffix)
    }
}

/// Where the name at `at`, possibly compressed, ends; `None` if it runs out of the message.
///
/// Pointers are not followed: [`expand`] does that where the name itself is wanted.
pub(crate) fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    let start = at;
    loop {
        let length = usize::from(*message.get(at)?);
        match length {
            0 => return at.checked_add(1),
            1..=63 => at = at.checked_add(length)?.checked_add(1)?,
            0xc0.. => {
                message.get(at.checked_add(1)?)?;
                return at.checked_add(2);
            }
            64..0xc0 => return None,
        }
        if at.checked_sub(start)? >= NAME_BYTES {
            return None;
        }
    }
}

/// Writes the name at `at` uncompressed, letters as they are; gives its length and where it ended in
/// the message.
///
/// Each pointer must go before the label run that holds it, so that a chain of pointers ends, and no
/// farther than the question, because the header changes from reply to reply.
pub(crate) fn expand(
    message: &[u8],
    at: usize,
    into: &mut [u8; NAME_BYTES],
) -> Option<(usize, usize)> {
    let (mut from, mut bound) = (at, at);
    let mut end = None;
    let mut written = 0usize;
    let mut pointers = 0u8;
    loop {
        let length = usize::from(*message.get(from)?);
        match length {
            0..=63 => {
                let next = from.checked_add(length)?.checked_add(1)?;
                let label = message.get(from..next)?;
                let after = written.checked_add(label.len())?;
                into.get_mut(written..after)?.copy_from_slice(label);
                written = after;
                from = next;
                if length == 0 {
                    return Some((written, end.unwrap_or(from)));
                }
            }
            0xc0.. => {
                let low = usize::from(*message.get(from.checked_add(1)?)?);
                let target = ((length & 0x3f) << 8) | low;
                pointers = pointers.saturating_add(1);
                if !(HEADER_BYTES..bound).contains(&target) || pointers > POINTERS {
                    return None;
                }
                end = end.or_else(|| from.checked_add(2));
                (from, bound) = (target, target);
            }
            64..0xc0 => return None,
        }
    }
}

/// Lower-cases a name in wire form, or a run of them: a length octet, at most 63, is no letter.
fn lowercase(wire: &mut [u8]) {
    wire.make_ascii_lowercase();
}

/// The same of eight octets at once, without a branch.
#[inline]
pub(crate) const fn lowercase_octets(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7f * ONES);
    // Bit 7 of each octet: at least `A`, and beyond `Z`.
    let from_a = low + (0x80 - b'A' as u64) * ONES;
    let beyond_z = low + (0x7f - b'Z' as u64) * ONES;
    let upper = !word & (from_a ^ beyond_z) & (0x80 * ONES);
    word | upper >> 2
}

/// The octets of `name` that are left over when it is read eight at a time, as a number whose lowest
/// octet is the first of them.
#[inline]
pub(crate) fn last_octets(name: &[u8]) -> u64 {
    let (_, rest) = name.as_chunks::<8>();
    if rest.is_empty() {
        return 0;
    }
    match name.last_chunk() {
        Some(octets) => u64::from_le_bytes(*octets) >> (64 - 8 * (rest.len() & 7)),
        None => rest
            .iter()
            .rev()
            .fold(0, |word, octet| word << 8 | u64::from(*octet)),
    }
}

/// Whether the name at `at` is `lower`, a name in lower-case wire form.
pub(crate) fn name_is(message: &[u8], at: usize, lower: &[u8]) -> bool {
    let mut buffer = [0; NAME_BYTES];
    expand(message, at, &mut buffer)
        .and_then(|(length, _)| buffer.get(..length))
        .is_some_and(|name| name.eq_ignore_ascii_case(lower))
}

/// The name at `at` in lower-case wire form.
pub(crate) fn lower_name(message: &[u8], at: usize) -> Option<Box<[u8]>> {
    let mut buffer = [0; NAME_BYTES];
    let (length, _) = expand(message, at, &mut buffer)?;
    let mut name: Box<[u8]> = buffer.get(..length)?.into();
    lowercase(&mut name);
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_octets_are_made_small_as_one_is() {
        for octet in 0..=u8::MAX {
            for place in 0..8 {
                let mut word = [b'Z', 0, 255, b'@', b'[', b'a', b'z', b'A'];
                word[place] = octet;
                let lower = lowercase_octets(u64::from_le_bytes(word)).to_le_bytes();
                assert_eq!(lower.to_vec(), word.to_ascii_lowercase());
            }
        }
    }

    #[test]
    fn what_is_left_over_is_read_as_it_stands() {
        let octets: [u8; 24] = core::array::from_fn(|at| at as u8 + 1);
        for length in 0..=octets.len() {
            let name = &octets[..length];
            let (_, rest) = name.as_chunks::<8>();
            let mut whole = [0; 8];
            whole[..rest.len()].copy_from_slice(rest);
            assert_eq!(last_octets(name), u64::from_le_bytes(whole), "{length}");
        }
    }
}
