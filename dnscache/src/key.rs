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
    /// Type and class.
    numbers: u32,
    name_hash: u64,
    pub(crate) variant: Variant,
}

impl<'a> Asked<'a> {
    /// `question` is name, type and class.
    #[inline(always)]
    pub(crate) fn new(hash: HashKey, question: &'a [u8], variant: Variant) -> Self {
        let asked = Self::hashed(0, question, variant);
        Self {
            name_hash: hash.name(asked.name),
            ..asked
        }
    }

    /// With the hash of the name, as [`name_hash`](Self::name_hash) gave it.
    #[inline(always)]
    pub(crate) fn hashed(name_hash: u64, question: &'a [u8], variant: Variant) -> Self {
        let (name, numbers) = question.split_last_chunk().unwrap_or((&[], &[0; 4]));
        Self {
            name,
            numbers: u32::from_be_bytes(*numbers),
            name_hash,
            variant,
        }
    }

    #[inline]
    pub(crate) fn name_hash(&self) -> u64 {
        self.name_hash
    }

    #[inline(always)]
    pub(crate) fn of(hash: HashKey, query: &Query<'a>) -> Self {
        Self::new(hash, query.question_wire(), Variant::of(query))
    }

    /// The types, classes and variants of one name lie far apart without a second pass over the name, and who
    /// does not know the name's keyed hash cannot aim.
    #[inline]
    pub(crate) fn hash(&self) -> u64 {
        let apart = u64::from(self.numbers) << 16 | u64::from(self.variant.0);
        self.name_hash ^ apart.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// Type and class.
    #[inline]
    pub(crate) fn numbers(&self) -> u32 {
        self.numbers
    }

    /// Whether `question` is the same name in lower case, with these numbers for type and class.
    #[inline(always)]
    pub(crate) fn compare(&self, numbers: u32, question: &[u8]) -> Option<Case> {
        let (name, own) = question.split_last_chunk()?;
        if u32::from_be_bytes(*own) != numbers {
            None
        } else if *self.name == *name {
            Some(Case::Lower)
        } else {
            self.is_in_lower_case(name).then_some(Case::Mixed)
        }
    }

    /// Whether `name` is this one in lower case.
    #[cold]
    fn is_in_lower_case(&self, name: &[u8]) -> bool {
        if name.len() != self.name.len() {
            return false;
        }
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
        Self {
            numbers: u32::from(rtype) << 16 | (self.numbers & 0xffff),
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
            *numbers = self.numbers.to_be_bytes();
        }
        Key {
            question,
            length: length.saturating_add(4),
            name_hash: self.name_hash,
            variant: self.variant,
        }
    }
}

/// The letters of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// All small.
    Lower,
    /// Some are not.
    Mixed,
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
            numbers: u32::from_be_bytes(*numbers),
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
            assert_eq!(asked.compare(0x1_0001, &question(b'q')), Some(Case::Mixed));
            assert_eq!(asked.to_key().question(), question(b'q'));
            assert_eq!(asked.hash(), asked.to_key().hash());
            for at in 0..upper.len() {
                let mut other = question(b'q');
                other[at] ^= 0x40;
                assert_eq!(
                    asked.compare(0x1_0001, &other),
                    None,
                    "octet {at} of {length}"
                );
            }
            assert_eq!(asked.compare(0x1_0001, &question(b'q')[1..]), None);
            let lower = asked.to_key();
            assert_eq!(
                lower.asked().compare(0x1_0001, lower.question()),
                Some(Case::Lower)
            );
            let other = lower.with_type(28);
            assert_eq!(
                asked.compare(0x1c_0001, other.question()),
                Some(Case::Mixed)
            );
        }
    }
}
