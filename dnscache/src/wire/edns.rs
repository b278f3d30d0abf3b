//! The OPT pseudo-record (RFC 6891) and extended errors in it (RFC 8914).

use super::{Writer, get_u16, put_u16, rtype};

/// An OPT record without options: root owner, type, size, extended code, version, flags, length.
pub(crate) const OPT_BYTES: usize = 11;

/// Option code of an extended error (RFC 8914 §2).
const EXTENDED_ERROR: u16 = 15;

/// The DO bit in the low half of the TTL field (RFC 3225 §3).
const DO: u32 = 0x8000;

/// What the OPT record of a query said (RFC 6891 §6.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns {
    /// The largest UDP payload that the client takes, in octets, as sent.
    pub udp_bytes: u16,
    /// EDNS version.
    pub version: u8,
    /// "DNSSEC answer OK" (RFC 3225).
    pub dnssec_ok: bool,
}

impl Edns {
    pub(crate) fn from_fields(class: u16, ttl: u32) -> Self {
        let [_extended, version, _, _] = ttl.to_be_bytes();
        Self {
            udp_bytes: class,
            version,
            dnssec_ok: ttl & DO != 0,
        }
    }
}

/// An extended DNS error (RFC 8914): why an answer is a failure, or not quite what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedError<'a> {
    /// INFO-CODE, from the registry of RFC 8914 §5.2.
    pub code: u16,
    /// EXTRA-TEXT; may be empty.
    pub text: &'a str,
}

impl ExtendedError<'static> {
    /// "Other Error".
    pub const OTHER: Self = Self { code: 0, text: "" };
    /// "Stale Answer" (RFC 8914 §4.4).
    pub const STALE: Self = Self { code: 3, text: "" };
    /// "Forged Answer" (RFC 8914 §4.5).
    pub const FORGED: Self = Self { code: 4, text: "" };
    /// "Cached Error" (RFC 8914 §4.14).
    pub const CACHED: Self = Self { code: 13, text: "" };
    /// "Prohibited" (RFC 8914 §4.19).
    pub const PROHIBITED: Self = Self { code: 18, text: "" };
    /// "Stale NXDOMAIN Answer" (RFC 8914 §4.20).
    pub const STALE_NXDOMAIN: Self = Self { code: 19, text: "" };
    /// "Not Supported" (RFC 8914 §4.22).
    pub const NOT_SUPPORTED: Self = Self { code: 21, text: "" };
    /// "No Reachable Authority" (RFC 8914 §4.23).
    pub const NO_REACHABLE_AUTHORITY: Self = Self { code: 22, text: "" };
    /// "Network Error" (RFC 8914 §4.24).
    pub const NETWORK_ERROR: Self = Self { code: 23, text: "" };
    /// "Invalid Data" (RFC 8914 §4.25).
    pub const INVALID_DATA: Self = Self { code: 24, text: "" };
}

/// An OPT record of ours without options.
#[inline]
pub(crate) const fn plain_opt(
    udp_bytes: u16,
    extended_rcode: u8,
    dnssec_ok: bool,
) -> [u8; OPT_BYTES] {
    let dnssec_ok = if dnssec_ok { (DO >> 8) as u64 } else { 0 };
    let fields = (udp_bytes as u64) << 24 | (extended_rcode as u64) << 16 | dnssec_ok;
    let [a, b, c, d, e, f, g, h] = ((rtype::OPT as u64) << 40 | fields).to_be_bytes();
    [a, b, c, d, e, f, g, h, 0, 0, 0]
}

/// Appends an OPT record of ours; the extended error is left out when it does not fit (RFC 8914 §3).
pub(crate) fn write_opt(
    writer: &mut Writer<'_>,
    udp_bytes: u16,
    extended_rcode: u8,
    dnssec_ok: bool,
    error: Option<ExtendedError<'_>>,
) -> Option<()> {
    let start = writer.len();
    writer.put(&[0])?;
    writer.put_u16(rtype::OPT)?;
    writer.put_u16(udp_bytes)?;
    let flags = if dnssec_ok { DO } else { 0 };
    writer.put_u32((u32::from(extended_rcode) << 24) | flags)?;
    writer.put_u16(0)?;
    if let Some(error) = error {
        let option = writer.len();
        if write_error(writer, error).is_some() {
            let length = u16::try_from(writer.len().checked_sub(option)?).ok()?;
            put_u16(
                writer.written_mut(),
                start.checked_add(OPT_BYTES - 2)?,
                length,
            );
        } else {
            writer.truncate(option);
        }
    }
    Some(())
}

fn write_error(writer: &mut Writer<'_>, error: ExtendedError<'_>) -> Option<()> {
    let length = u16::try_from(error.text.len()).ok()?.checked_add(2)?;
    writer.put_u16(EXTENDED_ERROR)?;
    writer.put_u16(length)?;
    writer.put_u16(error.code)?;
    writer.put(error.text.as_bytes())
}

/// Whether OPT RDATA is a run of whole options (RFC 6891 §6.1.2).
pub(crate) fn opt_is_sound(mut rdata: &[u8]) -> bool {
    while !rdata.is_empty() {
        let Some(length) = get_u16(rdata, 2) else {
            return false;
        };
        let Some(rest) = rdata
            .get(4..)
            .and_then(|rest| rest.get(usize::from(length)..))
        else {
            return false;
        };
        rdata = rest;
    }
    true
}

/// The code of the first extended error in OPT RDATA.
pub(crate) fn extended_error(mut rdata: &[u8]) -> Option<u16> {
    loop {
        let (code, length) = (get_u16(rdata, 0)?, get_u16(rdata, 2)?);
        let value = rdata.get(4..)?;
        if code == EXTENDED_ERROR && length >= 2 {
            return get_u16(value, 0);
        }
        rdata = value.get(usize::from(length)..)?;
    }
}
