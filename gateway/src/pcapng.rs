//! Captures as pcapng files, for Wireshark and its kin.

use std::io::{self, Write};

use crate::sim::{Capture, Direction, Frame};

/// Packets start with an IPv4 or IPv6 header.
const LINKTYPE_RAW: u16 = 101;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
const EPB_FLAGS: u16 = 2;

/// Writes a capture as one section of pcapng, one interface block for each tapped interface.
///
/// Timestamps are nanoseconds since the fixed point of the run, which readers show as 1 January 1970.
/// `comment` may give each packet a line of text.
///
/// # Errors
///
/// What the writer returns.
pub fn write(
    capture: &Capture,
    mut comment: impl FnMut(&Frame) -> Option<String>,
    mut out: impl Write,
) -> io::Result<()> {
    let names: Vec<&str> = capture.interfaces.iter().map(String::as_str).collect();
    begin(&names, &mut out)?;
    for frame in &capture.frames {
        packet(frame, comment(frame).as_deref(), &mut out)?;
    }
    out.flush()
}

/// Begins a capture of these interfaces, for packets to follow.
///
/// # Errors
///
/// What the writer returns.
pub fn begin(interfaces: &[&str], mut out: impl Write) -> io::Result<()> {
    let mut block = Block::new(SECTION_HEADER);
    block.word(0x1a2b_3c4d); // byte order
    block.body.extend(1u16.to_le_bytes()); // version 1.0
    block.body.extend(0u16.to_le_bytes());
    block.body.extend(u64::MAX.to_le_bytes()); // length of the section: unknown
    block.option(SHB_USERAPPL, b"egress-gateway");
    block.write(&mut out)?;
    for name in interfaces {
        let mut block = Block::new(INTERFACE_DESCRIPTION);
        block.body.extend(LINKTYPE_RAW.to_le_bytes());
        block.body.extend(0u16.to_le_bytes()); // reserved
        block.word(0); // packets are never cut short
        block.option(IF_NAME, name.as_bytes());
        block.option(IF_TSRESOL, &[9]);
        block.write(&mut out)?;
    }
    Ok(())
}

/// Writes one packet of a capture that was [begun](begin).
///
/// # Errors
///
/// What the writer returns.
pub fn packet(frame: &Frame, comment: Option<&str>, mut out: impl Write) -> io::Result<()> {
    let mut block = Block::new(ENHANCED_PACKET);
    let at = u64::try_from(frame.at.as_nanos()).unwrap_or(u64::MAX);
    let length = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
    block.word(u32::try_from(frame.interface).unwrap_or(u32::MAX));
    block.word((at >> 32) as u32);
    block.word(at as u32);
    block.word(length); // captured
    block.word(length); // on the wire
    block.padded(&frame.bytes);
    let direction: u32 = match frame.direction {
        Direction::Inbound => 1,
        Direction::Outbound => 2,
    };
    block.option(EPB_FLAGS, &direction.to_le_bytes());
    if let Some(text) = comment {
        block.option(OPT_COMMENT, text.as_bytes());
    }
    block.write(&mut out)
}

/// A block while it is being filled.
struct Block {
    kind: u32,
    body: Vec<u8>,
    has_options: bool,
}

impl Block {
    fn new(kind: u32) -> Self {
        Self {
            kind,
            body: Vec::new(),
            has_options: false,
        }
    }

    fn word(&mut self, word: u32) {
        self.body.extend(word.to_le_bytes());
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.body.extend(bytes);
        self.body.resize(self.body.len().next_multiple_of(4), 0);
    }

    /// An option; a value longer than an option can hold is cut.
    fn option(&mut self, code: u16, value: &[u8]) {
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        self.body.extend(code.to_le_bytes());
        self.body.extend((value.len() as u16).to_le_bytes());
        self.padded(value);
        self.has_options = true;
    }

    fn write(mut self, out: &mut impl Write) -> io::Result<()> {
        if self.has_options {
            self.word(0); // opt_endofopt
        }
        let length = u32::try_from(self.body.len() + 12)
            .unwrap_or(u32::MAX)
            .to_le_bytes();
        out.write_all(&self.kind.to_le_bytes())?;
        out.write_all(&length)?;
        out.write_all(&self.body)?;
        out.write_all(&length)
    }
}
