//! Under what an answer is kept.

use siphasher::sip::SipHasher13;

use crate::wire::{NAME_BYTES, Query, lowercase_word};

/// Name, type and class.
const QUESTION_BYTES: usize = NAME_BYTES + 4;
/// Whole words, so that letters are made small eight at a time.
const BUFFER: usize = QUESTION_BYTES.next_multiple_of(8);

/// Names are an outsider's choice, and so the hash is keyed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HashKey(u64, u64);

impl HashKey {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = seed;
        Self(
            u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            u64::from_le_bytes([i, j, k, l, m, n, o, p]),
        )
    }

    fn hash(self, name: &[u8]) -> u64 {
        SipHasher13::new_with_keys(self.0, self.1).hash(name)
    }
}

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

/// A question in lower case, and the hash of what it is kept under.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    question: [u8; BUFFER],
    length: usize,
    hash: HashKey,
    name_hash: u64,
    pub(crate) variant: Variant,
}

impl Key {
    /// `question` is name, type and class, with letters of any case.
    pub(crate) fn new(hash: HashKey, question: &[u8], variant: Variant) -> Self {
        let mut lower = [0; BUFFER];
        let length = question.len().min(QUESTION_BYTES);
        if let (Some(into), Some(from)) = (lower.get_mut(..length), question.get(..length)) {
            into.copy_from_slice(from);
        }
        let (words, _) = lower.as_chunks_mut::<8>();
        for word in words.iter_mut().take(length.div_ceil(8)) {
            *word = lowercase_word(*word);
        }
        // The type and class may look like letters.
        if let (Some(into), Some(from)) = (
            lower.get_mut(..length).and_then(|all| all.last_chunk_mut()),
            question.last_chunk::<4>(),
        ) {
            *into = *from;
        }
        let mut key = Self {
            question: lower,
            length,
            hash,
            name_hash: 0,
            variant,
        };
        key.name_hash = key.hash_name();
        key
    }

    fn hash_name(&self) -> u64 {
        self.hash.hash(self.name())
    }

    pub(crate) fn question(&self) -> &[u8] {
        self.question.get(..self.length).unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &[u8] {
        self.question()
            .split_last_chunk::<4>()
            .map_or(&[], |(name, _)| name)
    }

    /// The types, classes and variants of one name lie far apart without a second pass over the name, and who
    /// does not know the name's keyed hash cannot aim.
    pub(crate) fn hash(&self) -> u64 {
        let question = self.question().last_chunk::<4>();
        let numbers = question.map_or(0, |numbers| u32::from_be_bytes(*numbers));
        let apart = u64::from(numbers) << 16 | u64::from(self.variant.0);
        self.name_hash ^ apart.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// The same question under a policy.
    pub(crate) fn with_policy(&self, policy: u8) -> Self {
        Self {
            variant: self.variant.with_policy(policy),
            ..self.clone()
        }
    }

    /// The same name and class of another type; type 0 stands for all of them (RFC 2308 §5).
    pub(crate) fn with_type(&self, rtype: u16) -> Self {
        let mut key = self.clone();
        let at = self.length.saturating_sub(4);
        if let Some((field, _)) = key
            .question
            .get_mut(at..)
            .and_then(|rest| rest.split_first_chunk_mut::<2>())
        {
            *field = rtype.to_be_bytes();
        }
        key
    }

    /// The same type and class of the name without its first label; `None` for the root.
    pub(crate) fn parent(&self) -> Option<Self> {
        let skip = usize::from(*self.name().first()?).checked_add(1)?;
        let rest = self.question().get(skip..).filter(|rest| rest.len() > 4)?;
        Some(Self::new(self.hash, rest, self.variant))
    }
}
