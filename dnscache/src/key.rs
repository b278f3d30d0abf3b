//! Under what an answer is kept.

use crate::hash::HashKey;
use crate::wire::{NAME_BYTES, Query, last_octets, lowercase_octets};

/// Name, type and class.
const QUESTION_BYTES: usize = NAME_BYTES + 4;

/// What partitions answers beside the question: DO and CD of the query (RFC 6840 §5.9), and the policy
/// under which an answer was derived, 0 for plain ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variant(u16);

impl Variant {
    pub(crate) fn new(dnssec_ok: bool, checking_disabled: bool, policy: u8) -> Self {
        let bits = u16::from(dnssec_ok) << 8 | u16::from(checking_disabled) << 9;
        Self(bits | u16::from(policy))
    }

    pub(crate) fn of(query: &Query<'_>) -> Self {
        Self::new(query.dnssec_ok(), query.checking_disabled(), 0)
    }

    pub(crate) fn dnssec_ok(self) -> bool {
        self.0 & 0x100 != 0
    }

    pub(crate) fn checking_disabled(self) -> bool {
        self.0 & 0x200 != 0
    }

    pub(crate) fn policy(self) -> u8 {
        self.0.to_be_bytes()[1]
    }

    pub(crate) fn with_policy(self, policy: u8) -> Self {
        Self((self.0 & 0xff00) | u16::from(policy))
    }
}

/// A question as it is looked for: its letters of any case, wherever they stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    name: &'a [u8],
    /// Type and class, as they stand in a message.
    numbers: [u8; 4],
    name_hash: u64,
    pub(crate) variant: Variant,
}

impl<'a> Asked<'a> {
    /// `question` is name, type and class.
    #[inline]
    pub(crate) fn new(hash: HashKey, question: &'a [u8], variant: Variant) -> Self {
        let (name, numbers) = question.split_last_chunk().unwrap_or((&[], &[0; 4]));
        Self {
            name,
            numbers: *numbers,
            name_hash: hash.name(name),
            variant,
        }
    }

    #[inline]
    pub(crate) fn of(hash: HashKey, query: &Query<'a>) -> Self {
        Self::new(hash, query.question_wire(), Variant::of(query))
    }

    /// The types, classes and variants of one name lie far apart without a second pass over the name, and who
    /// does not know the name's keyed hash cannot aim.
    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        let numbers = u32::from_be_bytes(self.numbers);
        let apart = u64::from(numbers) << 16 | u64::from(self.variant.0);
        self.name_hash ^ apart.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Whether `question` is the same in lower case.
    #[inline]
    pub(crate) fn is(&self, question: &[u8]) -> bool {
        let Some((name, numbers)) = question.split_at_checked(self.name.len()) else {
            return false;
        };
        *numbers == self.numbers && (is_equal(self.name, name) || self.is_in_lower_case(name))
    }

    /// Whether `name`, of the same length, is this one in lower case.
    #[inline(never)]
    fn is_in_lower_case(&self, name: &[u8]) -> bool {
        let (words, _) = self.name.as_chunks::<8>();
        let (lower, _) = name.as_chunks::<8>();
        let differences = words.iter().zip(lower).fold(0, |differences, (one, two)| {
            differences | (lowercase_octets(u64::from_le_bytes(*one)) ^ u64::from_le_bytes(*two))
        });
        let tails = lowercase_octets(last_octets(self.name)) ^ last_octets(name);
        differences | tails == 0
    }

    /// The same question under a policy.
    pub(crate) fn with_policy(self, policy: u8) -> Self {
        Self {
            variant: self.variant.with_policy(policy),
            ..self
        }
    }

    /// The same name and class of another type; type 0 stands for all of them (RFC 2308 §5).
    #[inline]
    pub(crate) fn with_type(self, rtype: u16) -> Self {
        let [_, _, class @ ..] = self.numbers;
        let [high, low] = rtype.to_be_bytes();
        let [c0, c1] = class;
        Self {
            numbers: [high, low, c0, c1],
            ..self
        }
    }

    /// The same type and class of the name without its first label; `None` for the root.
    pub(crate) fn parent(self, hash: HashKey) -> Option<Self> {
        let skip = usize::from(*self.name.first()?).checked_add(1)?;
        let name = self.name.get(skip..).filter(|rest| !rest.is_empty())?;
        Some(Self {
            name,
            name_hash: hash.name(name),
            ..self
        })
    }

    /// The question in lower case, for whoever keeps it.
    pub(crate) fn to_key(self) -> Key {
        let mut question = [0; QUESTION_BYTES];
        let length = self.name.len().min(NAME_BYTES);
        let (name, rest) = question.split_at_mut(length);
        if let (Some(from), Some(numbers)) = (self.name.get(..length), rest.first_chunk_mut()) {
            name.copy_from_slice(from);
            name.make_ascii_lowercase();
            *numbers = self.numbers;
        }
        Key {
            question,
            length: length.saturating_add(4),
            name_hash: self.name_hash,
            variant: self.variant,
        }
    }
}

/// A question in lower case, and the hash of what it is kept under.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    question: [u8; QUESTION_BYTES],
    length: usize,
    name_hash: u64,
    pub(crate) variant: Variant,
}

impl Key {
    /// `question` is name, type and class, with letters of any case.
    pub(crate) fn new(hash: HashKey, question: &[u8], variant: Variant) -> Self {
        Asked::new(hash, question, variant).to_key()
    }

    /// The question to be looked for.
    pub(crate) fn asked(&self) -> Asked<'_> {
        let (name, numbers) = self.question().split_last_chunk().unwrap_or((&[], &[0; 4]));
        Asked {
            name,
            numbers: *numbers,
            name_hash: self.name_hash,
            variant: self.variant,
        }
    }

    pub(crate) fn question(&self) -> &[u8] {
        self.question.get(..self.length).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &[u8] {
        self.asked().name
    }

    pub(crate) fn hash(&self) -> u64 {
        self.asked().hash()
    }

    /// The same question under a policy.
    pub(crate) fn with_policy(&self, policy: u8) -> Self {
        self.asked().with_policy(policy).to_key()
    }

    /// The same name and class of another type.
    pub(crate) fn with_type(&self, rtype: u16) -> Self {
        self.asked().with_type(rtype).to_key()
    }
}

/// Whether two names of one length are the same octet by octet. Differences are gathered: names that come
/// this far are almost always the same.
#[inline]
fn is_equal(one: &[u8], two: &[u8]) -> bool {
    let (Some(one_end), Some(two_end)) = (one.last_chunk::<8>(), two.last_chunk::<8>()) else {
        return one == two;
    };
    let (one, _) = one.as_chunks::<8>();
    let (two, _) = two.as_chunks::<8>();
    let end = u64::from_ne_bytes(*one_end) ^ u64::from_ne_bytes(*two_end);
    one.iter().zip(two).fold(end, |differences, (one, two)| {
        differences | (u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*two))
    }) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn a_question_is_itself_in_any_case_and_no_other() {
        let hash = HashKey::new([7; 16]);
        let variant = Variant::new(false, false, 0);
        for length in 1..=63_u8 {
            let question = |octet: u8| {
                let mut question = Vec::from([length]);
                question.extend((0..length).map(|at| if at % 3 == 0 { octet } else { b'm' }));
                question.extend([0, 0, 1, 0, 1]);
                question
            };
            let upper = question(b'Q');
            let asked = Asked::new(hash, &upper, variant);
            assert!(asked.is(&question(b'q')));
            assert_eq!(asked.to_key().question(), question(b'q'));
            assert_eq!(asked.hash(), asked.to_key().hash());
            for at in 0..upper.len() {
                let mut other = question(b'q');
                other[at] ^= 0x40;
                assert!(!asked.is(&other), "octet {at} of {length}");
            }
            assert!(!asked.is(&question(b'q')[1..]));
            assert!(
                asked
                    .with_type(28)
                    .is(&asked.to_key().with_type(28).question())
            );
        }
    }
}
