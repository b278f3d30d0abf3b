use super::evidence::{Evidence, Spoken};
use super::report::{Moment, at};

/// The type of a question about IPv4 addresses.
const A: u16 = 1;
/// Octets of a DNS header.
const HEADER: usize = 12;
/// Octets of an OPT record without options (RFC 6891 §6.1.2).
const OPT: usize = 11;

/// Whether the answer about a name that has an A record is the upstream's, octet by octet: all of it
/// but the id, the letters of the question, which the gateway varies (RFC 5452), and the OPT record,
/// which belongs to each hop.
pub(super) fn unchanged(
    evidence: &Evidence,
    name: &str,
    kind: &str,
) -> Result<Vec<Moment>, String> {
    let reply = |inside: bool| {
        let mut spoken = evidence.spoken.iter();
        spoken.find(|one| one.inside == inside && !one.is_query() && one.is_about(name, A))
    };
    let upstream = reply(false).ok_or_else(|| format!("no server answered about {name}"))?;
    let answer = reply(true).ok_or_else(|| format!("the pod got no answer about {name}"))?;
    let (was, is) = (records(upstream), records(answer));
    let rest = was.strip_prefix(is);
    let only_opt = rest.is_some_and(|rest| rest.is_empty() || rest.len() == OPT);
    if !only_opt
        || upstream.response_code() != answer.response_code()
        || answer.addresses().is_empty()
    {
        return Err(format!("the answer about {name} is not the upstream's"));
    }
    let addresses = answer.addresses();
    let address = addresses
        .first()
        .map_or_else(String::new, |(address, _)| address.to_string());
    let octets = is.len();
    let text = format!("{name} has {kind}: {address}, {octets} octets of records as they came");
    Ok(vec![at(answer.at, text)])
}

/// What follows the question.
fn records(spoken: &Spoken) -> &[u8] {
    let question = spoken.name().len() + 2 + 4;
    spoken.bytes.get(HEADER + question..).unwrap_or_default()
}
