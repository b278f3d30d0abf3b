//! The bytes of an input, taken one after another as choices.

/// What is left of an input.
pub(crate) struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// The next byte; `None` at the end.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next two bytes.
    pub(crate) fn word(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// One of `values`, picked by the next byte.
    pub(crate) fn one_of<T: Copy>(&mut self, values: &[T]) -> Option<T> {
        let index = usize::from(self.byte()?) % values.len();
        Some(values[index])
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }

    /// As many of the next bytes as the two before them say, or as there are.
    pub(crate) fn block(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.word()?).min(self.0.len());
        let (block, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(block)
    }
}
