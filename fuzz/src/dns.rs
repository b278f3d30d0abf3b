//! DNS messages, read a second time and naively: what a resolver sends is judged by it.

/// A message whose counts and lengths hold.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) id: u16,
    pub(crate) flags: u16,
    /// Of the only question, or of none: name in lower case, type, class.
    pub(crate) question: Option<(Vec<u8>, u16, u16)>,
    /// All sections in their order, OPT left out.
    pub(crate) records: Vec<Record>,
    /// Payload size and flags of the OPT record.
    pub(crate) opt: Option<(u16, u32)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) section: usize,
    pub(crate) name: Vec<u8>,
    pub(crate) rtype: u16,
    pub(crate) ttl: u32,
    pub(crate) data: Vec<u8>,
}

pub(crate) const RESPONSE: u16 = 0x8000;
pub(crate) const TRUNCATED: u16 = 0x0200;
const OPT: u16 = 41;

/// Reads a message; errors if it is not exactly as long as its counts say.
pub(crate) fn read(message: &[u8]) -> Result<Message, &'static str> {
    let mut at = 0;
    let mut header = [0; 6];
    for word in &mut header {
        *word = number(message, &mut at)?;
    }
    let [id, flags, questions, counts @ ..] = header;
    let question = match questions {
        0 => None,
        1 => Some((
            name(message, &mut at)?,
            number(message, &mut at)?,
            number(message, &mut at)?,
        )),
        _ => return Err("several questions"),
    };
    let (mut records, mut opt) = (Vec::new(), None);
    for (section, count) in counts.into_iter().enumerate() {
        for _ in 0..count {
            let name = name(message, &mut at)?;
            let rtype = number(message, &mut at)?;
            let class = number(message, &mut at)?;
            let ttl =
                u32::from(number(message, &mut at)?) << 16 | u32::from(number(message, &mut at)?);
            let length = usize::from(number(message, &mut at)?);
            let data = message
                .get(at..at + length)
                .ok_or("record data cut")?
                .to_vec();
            at += length;
            if rtype != OPT {
                records.push(Record {
                    section,
                    name,
                    rtype,
                    ttl,
                    data,
                });
            } else if opt.replace((class, ttl)).is_some() || section != 2 {
                return Err("OPT twice, or in a wrong place");
            }
        }
    }
    if at != message.len() {
        return Err("octets behind the last record");
    }
    Ok(Message {
        id,
        flags,
        question,
        records,
        opt,
    })
}

fn number(message: &[u8], at: &mut usize) -> Result<u16, &'static str> {
    let bytes = message.get(*at..*at + 2).ok_or("cut")?;
    *at += 2;
    Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// A name with its pointers followed, in lower case, in wire form.
fn name(message: &[u8], at: &mut usize) -> Result<Vec<u8>, &'static str> {
    let mut name = Vec::new();
    let (mut here, mut jumped) = (*at, false);
    loop {
        let length = *message.get(here).ok_or("name cut")?;
        match length >> 6 {
            0 => {
                let label = message
                    .get(here..=here + usize::from(length))
                    .ok_or("label cut")?;
                name.extend(label.to_ascii_lowercase());
                here += label.len();
                if !jumped {
                    *at = here;
                }
                if name.len() > 255 {
                    return Err("name too long");
                }
                if length == 0 {
                    return Ok(name);
                }
            }
            3 => {
                let low = *message.get(here + 1).ok_or("pointer cut")?;
                if !jumped {
                    *at = here + 2;
                }
                let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                if target >= here {
                    return Err("a pointer that does not point back");
                }
                (here, jumped) = (target, true);
            }
            _ => return Err("an unknown kind of label"),
        }
    }
}
