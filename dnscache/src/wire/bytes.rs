//! Big-endian numbers in byte slices; every access is checked.

/// The 16-bit number at `at`.
pub(crate) fn get_u16(bytes: &[u8], at: usize) -> Option<u16> {
    let (field, _) = bytes.get(at..)?.split_first_chunk::<2>()?;
    Some(u16::from_be_bytes(*field))
}

/// The 32-bit number at `at`.
pub(crate) fn get_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let (field, _) = bytes.get(at..)?.split_first_chunk::<4>()?;
    Some(u32::from_be_bytes(*field))
}

/// Overwrites the 16-bit number at `at`; does nothing past the end.
pub(crate) fn put_u16(bytes: &mut [u8], at: usize, value: u16) {
    if let Some((field, _)) = bytes
        .get_mut(at..)
        .and_then(|rest| rest.split_first_chunk_mut())
    {
        *field = value.to_be_bytes();
    }
}

/// Overwrites the 32-bit number at `at`; does nothing past the end.
pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    if let Some((field, _)) = bytes
        .get_mut(at..)
        .and_then(|rest| rest.split_first_chunk_mut())
    {
        *field = value.to_be_bytes();
    }
}

/// Appends to a lent buffer; `None` once it is full, and nothing is written then.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Octets written so far.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// What has been written, to be patched.
    pub(crate) fn written_mut(&mut self) -> &mut [u8] {
        self.buffer.get_mut(..self.length).unwrap_or_default()
    }

    /// Goes back to an earlier length.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length.checked_add(bytes.len())?;
        self.buffer
            .get_mut(self.length..end)?
            .copy_from_slice(bytes);
        self.length = end;
        Some(())
    }

    pub(crate) fn put_u16(&mut self, value: u16) -> Option<()> {
        self.put(&value.to_be_bytes())
    }

    pub(crate) fn put_u32(&mut self, value: u32) -> Option<()> {
        self.put(&value.to_be_bytes())
    }
}
