//! Rules in the Common Expression Language, for checks within one resource. They use the IP and
//! CIDR functions of Kubernetes 1.31 and later.

use crate::decode::Kind;

/// A rule of `x-kubernetes-validations`.
pub(super) struct Rule {
    pub(super) expression: String,
    pub(super) message: &'static str,
}

/// Rules over several parameters of a `spec`.
pub(super) fn of_spec(kind: Kind) -> Vec<Rule> {
    match kind {
        Kind::Egress => egress(),
        Kind::Vlan => vlan(),
        Kind::Dnscache | Kind::Snatpool => Vec::new(),
    }
}

/// Rules over one parameter.
pub(super) fn of_parameter(name: &str) -> Vec<Rule> {
    match name {
        "dnsNat46Ipv4Subnet" => {
            vec![
                rule("isCIDR(self)", "an IPv4 subnet, as 10.2.2.0/24"),
                rule(
                    "!isCIDR(self) || cidr(self) == cidr(self).masked()",
                    "a subnet has no bits set behind its prefix",
                ),
            ]
        }
        "nat64Ipv6Subnet" => vec![
            rule("isCIDR(self)", "an IPv6 prefix, as 64:ff9b::/96"),
            rule(
                "!isCIDR(self) || cidr(self) == cidr(self).masked()",
                "a prefix has no bits set behind it",
            ),
            rule(
                // In the text: a server has no budget for an address that is made into a text. The
                // fifth group is counted from the start, or from the end where `::` is before it.
                "!self.matches('^([0-9A-Fa-f]{1,4}:){4}0*[1-9A-Fa-f][0-9A-Fa-f]{2,3}:') && \
                 !self.matches('::([0-9A-Fa-f]{1,4}:)*0*[1-9A-Fa-f][0-9A-Fa-f]{2,3}\
                 (:[0-9A-Fa-f]{1,4}){3}/')",
                "bits 64 to 71 of a NAT64 prefix are zero (RFC 6052 section 2.2)",
            ),
        ],
        "forwardZones" => vec![rule(
            "self.all(a, self.exists_one(b, \
             (a.forwardZone.endsWith('.') ? a.forwardZone : a.forwardZone + '.').lowerAscii() == \
             (b.forwardZone.endsWith('.') ? b.forwardZone : b.forwardZone + '.').lowerAscii()))",
            "a zone is listed once; case and a trailing dot make no difference",
        )],
        _ => Vec::new(),
    }
}

fn egress() -> Vec<Rule> {
    let dns46 = "(has(self.dnsNat46Enabled) && self.dnsNat46Enabled)";
    let nat64 = "(has(self.nat64Enabled) && self.nat64Enabled)";
    // Defaults are in place on a server, but need not be elsewhere.
    let or = |name: &str, default: &str| format!("(has(self.{name}) ? self.{name} : {default})");
    let subnet = or("dnsNat46Ipv4Subnet", "'10.2.2.0/24'");
    let sorry = or("dnsNat46SorryIp", "'192.168.1.1'");
    let (reserved, replicas) = (or("maxReservedStaticIps", "0"), or("maxTmmReplicas", "1"));
    let sizes: Vec<String> = (0..=32)
        .map(|length| (1_u64 << (32 - length)).to_string())
        .collect();
    let total = format!("[{}][cidr({subnet}).prefixLength()]", sizes.join(", "));
    let rest = format!("({total} - {reserved})");
    let slice = format!("({rest} / {replicas})");
    // A faulty subnet is told of by its own rules.
    let idle = format!("!{dns46} || !isCIDR({subnet}) || cidr({subnet}).ip().family() != 4 || ");
    vec![
        rule(
            &format!(
                "!({dns46} || {nat64}) || (has(self.dnsCacheName) && self.dnsCacheName != '')"
            ),
            "DNS46 and DNS64 need a cache: name an F5SPKDnscache in dnsCacheName",
        ),
        rule(
            &format!("{idle}!isIP({sorry}) || !cidr({subnet}).containsIP({sorry})"),
            "the sorry IP lies outside of the DNS46 subnet",
        ),
        rule(
            &format!(
                "{idle}!has(self.dnsNat46PoolIps) || self.dnsNat46PoolIps.all(address, \
                 !isIP(address) || !cidr({subnet}).containsIP(address))"
            ),
            "name servers lie outside of the DNS46 subnet",
        ),
        // The first slice may hold the network address, the last one the broadcast address.
        rule(
            &format!(
                "{idle}{replicas} < 1 || ({reserved} < {total} && {slice} >= 1 && \
                 ({reserved} > 0 || {slice} >= 2) && \
                 ({rest} % {replicas} != 0 || {slice} >= 2) && \
                 ({replicas} > 1 || {reserved} > 0 || {slice} >= 3))"
            ),
            "every replica has an address to hand out: a larger subnet, fewer replicas or fewer \
             reserved addresses",
        ),
    ]
}

fn vlan() -> Vec<Rule> {
    vec![
        rule(
            "!has(self.selfip_v4s) || size(self.selfip_v4s) == 0 || has(self.prefixlen_v4)",
            "IPv4 self IPs need prefixlen_v4",
        ),
        rule(
            "!has(self.selfip_v6s) || size(self.selfip_v6s) == 0 || has(self.prefixlen_v6)",
            "IPv6 self IPs need prefixlen_v6",
        ),
        rule(
            "!has(self.selfip_v6s) || size(self.selfip_v6s) == 0 || !has(self.mtu) || \
             self.mtu >= 1280",
            "an MTU of at least 1280 bytes where there are IPv6 self IPs (RFC 8200 section 5)",
        ),
    ]
}

fn rule(expression: &str, message: &'static str) -> Rule {
    Rule {
        expression: expression.to_owned(),
        message,
    }
}
