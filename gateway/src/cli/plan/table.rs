//! Plans as text for people, with a drawing of the DNS46 subnet.

use core::fmt::Write;
use core::net::Ipv4Addr;
use core::ops::RangeInclusive;

use egress_config::{Dns46Plan, DnsPlan, Plan};

/// Cells of the drawing.
const WIDTH: u64 = 64;

/// All plans of one egress.
pub(super) fn table(plans: &[Plan]) -> String {
    let mut text = String::new();
    let Some(first) = plans.first() else {
        return text;
    };
    // Writing into a String does not fail.
    let _ = common(&mut text, first);
    let _ = subnet(&mut text, plans);
    for plan in plans {
        let _ = replica(&mut text, plan);
    }
    if (plans.len() as u64) < u64::from(first.replicas) {
        let shown = if plans.len() == 1 {
            "one is"
        } else {
            "these are"
        };
        let _ = writeln!(
            text,
            "\n{} replicas in all, of which {shown} shown",
            first.replicas
        );
    }
    text
}

fn common(text: &mut String, plan: &Plan) -> core::fmt::Result {
    writeln!(text, "egress           {}", plan.egress)?;
    writeln!(text, "replicas         {}", plan.replicas)?;
    let servers: Vec<&str> = plan
        .virtual_servers
        .iter()
        .map(|server| server.name())
        .collect();
    writeln!(text, "virtual servers  {}", servers.join(" "))?;
    if let Some(prefix) = plan.nat64 {
        writeln!(text, "NAT64 prefix     {prefix}")?;
    }
    if let Some(dns46) = &plan.dns46 {
        writeln!(text, "sorry IP         {}", dns46.sorry)?;
        writeln!(text, "longest TTL      {} s", dns46.max_ttl.as_secs())?;
    }
    if plan.debug_log {
        writeln!(text, "debug log        on")?;
    }
    if let Some(dns) = &plan.dns {
        zones(text, dns)?;
    }
    Ok(())
}

fn zones(text: &mut String, dns: &DnsPlan) -> core::fmt::Result {
    writeln!(
        text,
        "cache            {}, {} bytes",
        dns.cache, dns.message_bytes
    )?;
    if let Some(limit) = dns.rate_limit {
        writeln!(text, "rate limit       {limit} queries a second")?;
    }
    for zone in &dns.zones {
        let servers: Vec<String> = zone.servers.iter().map(ToString::to_string).collect();
        let servers = if servers.is_empty() {
            "nobody".to_owned()
        } else {
            servers.join(" ")
        };
        writeln!(text, "  zone {} asks {servers}", zone.name)?;
    }
    for hop in &dns.next_hops {
        let routers: Vec<String> = hop.gateways.iter().map(ToString::to_string).collect();
        let routers = if routers.is_empty() {
            "the host's routes".to_owned()
        } else {
            routers.join(" ")
        };
        writeln!(text, "  {} by {routers}", hop.server)?;
    }
    Ok(())
}

/// A part of the subnet and the letter that it is drawn with.
struct Part {
    letter: char,
    name: String,
    range: RangeInclusive<Ipv4Addr>,
}

impl Part {
    fn count(&self) -> u64 {
        u64::from(self.range.end().to_bits()) - u64::from(self.range.start().to_bits()) + 1
    }
}

fn subnet(text: &mut String, plans: &[Plan]) -> core::fmt::Result {
    let parts = parts(plans);
    let Some(dns46) = plans.first().and_then(|plan| plan.dns46.as_ref()) else {
        return Ok(());
    };
    let total = 1_u64 << (32 - u32::from(dns46.subnet.prefix_len()));
    writeln!(text, "\nDNS46 subnet {}, {total} addresses", dns46.subnet)?;
    writeln!(text, "  |{}|", drawing(dns46, &parts, total))?;
    for part in &parts {
        let (first, last) = (part.range.start(), part.range.end());
        writeln!(
            text,
            "  {} {:<12} {first:<15} to {last:<15} {:>10}",
            part.letter,
            part.name,
            part.count()
        )?;
    }
    writeln!(
        text,
        "  {} and {} are never handed out",
        dns46.subnet.network(),
        dns46.subnet.broadcast()
    )
}

fn parts(plans: &[Plan]) -> Vec<Part> {
    let mut parts = Vec::new();
    let dns46s = || {
        plans
            .iter()
            .filter_map(|plan| Some((plan, plan.dns46.as_ref()?)))
    };
    if let Some((
        _,
        Dns46Plan {
            reserved: Some(range),
            ..
        },
    )) = dns46s().next()
    {
        parts.push(Part {
            letter: 'r',
            name: "reserved".to_owned(),
            range: range.clone(),
        });
    }
    for (plan, dns46) in dns46s() {
        let letter = char::from_digit(plan.replica % 10, 10).unwrap_or('?');
        let name = format!("replica {}", plan.replica);
        parts.push(Part {
            letter,
            name,
            range: dns46.slice.clone(),
        });
    }
    if let Some((
        _,
        Dns46Plan {
            unused: Some(range),
            ..
        },
    )) = dns46s().next()
    {
        parts.push(Part {
            letter: '-',
            name: "unused".to_owned(),
            range: range.clone(),
        });
    }
    parts
}

/// One letter a cell: of the part that holds the middle of the cell's addresses, but of the first
/// and last part at the ends.
fn drawing(dns46: &Dns46Plan, parts: &[Part], total: u64) -> String {
    let width = WIDTH.min(total);
    let start = u64::from(dns46.subnet.network().to_bits());
    (0..width)
        .map(|cell| {
            let offset = match cell {
                0 => 0,
                last if last + 1 == width => total - 1,
                middle => (2 * middle + 1) * total / (2 * width),
            };
            parts
                .iter()
                .find(|part| {
                    let (first, last) = (part.range.start().to_bits(), part.range.end().to_bits());
                    (u64::from(first)..=u64::from(last)).contains(&(start + offset))
                })
                .map_or(' ', |part| part.letter)
        })
        .collect()
}

fn replica(text: &mut String, plan: &Plan) -> core::fmt::Result {
    writeln!(text, "\nreplica {}", plan.replica)?;
    writeln!(text, "  SNAT      {}", plan.snat)?;
    for vlan in &plan.vlans {
        writeln!(text, "  VLAN {}: {vlan}", vlan.name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
