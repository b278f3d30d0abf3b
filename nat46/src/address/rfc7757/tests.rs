use super::*;

/// RFC 7757 §3.2, Figure 1.
fn figure_1() -> [Mapping; 6] {
    [
        ("192.0.2.1/32", "2001:db8:aaaa::/128"),
        ("192.0.2.2/32", "2001:db8:bbbb::b/128"),
        ("192.0.2.16/28", "2001:db8:cccc::/124"),
        ("192.0.2.128/26", "2001:db8:dddd::/64"),
        ("192.0.2.192/29", "2001:db8:eeee:8::/62"),
        ("192.0.2.224/31", "64:ff9b::/127"),
    ]
    .map(|(ipv4, ipv6)| Mapping::new(ipv4.parse().unwrap(), ipv6.parse().unwrap()).unwrap())
}

/// The well-known prefix, with the addresses that the RFC's examples take.
fn prefix() -> Prefix {
    Prefix::new("64:ff9b::/96".parse().unwrap())
        .unwrap()
        .allow_non_global()
}

fn ip4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn ip6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// An IPv4 or IPv6 packet of UDP between two addresses.
fn packet(source: IpAddr, destination: IpAddr, buf: &mut [u8; 60]) -> Packet {
    let (source, destination) = ((source, 7).into(), (destination, 9).into());
    let range = crate::packet::build::udp(source, destination, 52..60, buf).unwrap();
    Packet::parse(&buf[range]).unwrap()
}

#[test]
fn rfc7757_appendix_b_example_translations() {
    let rows = figure_1();
    let siit = Siit::new(&rows, prefix());
    for (ipv4, ipv6) in [
        ("192.0.2.1", "2001:db8:aaaa::"),
        ("192.0.2.2", "2001:db8:bbbb::b"),
        ("192.0.2.16", "2001:db8:cccc::"),
        ("192.0.2.24", "2001:db8:cccc::8"),
        ("192.0.2.31", "2001:db8:cccc::f"),
        ("192.0.2.128", "2001:db8:dddd::"),
        ("192.0.2.152", "2001:db8:dddd:0:6000::"),
        ("192.0.2.183", "2001:db8:dddd:0:dc00::"),
        ("192.0.2.191", "2001:db8:dddd:0:fc00::"),
        ("192.0.2.195", "2001:db8:eeee:9:8000::"),
        ("192.0.2.225", "64:ff9b::1"),
        ("192.0.2.248", "64:ff9b::c000:2f8"),
    ] {
        assert_eq!(siit.to_ipv6(ip4(ipv4)), Ok(ip6(ipv6)));
        assert_eq!(siit.to_ipv4(ip6(ipv6)), Ok(ip4(ipv4)));
    }
    // §3.3.2, step 4: what is left of an IPv6 suffix is dropped.
    assert_eq!(
        siit.to_ipv4(ip6("2001:db8:dddd:0:6000::1")),
        Ok(ip4("192.0.2.152"))
    );
}

#[test]
fn rfc7757_3_2_an_ipv6_suffix_is_no_shorter_than_the_ipv4_suffix() {
    let row = |ipv4: &str, ipv6: &str| Mapping::new(ipv4.parse().unwrap(), ipv6.parse().unwrap());
    assert!(row("192.0.2.0/24", "2001:db8::/120").is_ok());
    assert!(row("192.0.2.0/24", "2001:db8::/121").is_err());
    assert!(row("0.0.0.0/0", "::/0").is_ok());
    assert!(row("192.0.2.1/32", "2001:db8::1/128").is_ok());
}

#[test]
fn rfc7757_5_the_longest_prefix_wins_in_each_direction_by_itself() {
    // Figure 2.
    let rows = [
        ("0.0.0.0/0", "2001:db8:ff00::/40"),
        ("198.51.100.64/32", "2001:db8::abcd/128"),
    ]
    .map(|(ipv4, ipv6)| Mapping::new(ipv4.parse().unwrap(), ipv6.parse().unwrap()).unwrap());
    let siit = Siit::new(&rows, prefix());
    let address = ip4("198.51.100.64");
    assert_eq!(siit.to_ipv6(address), Ok(ip6("2001:db8::abcd")));
    assert_eq!(siit.to_ipv4(ip6("2001:db8:ffc6:3364:4000::")), Ok(address));
    // Figure 3: identical prefixes; the first row decides.
    let rows = ["198.51.100.8/32", "198.51.100.9/32"].map(|ipv4| {
        Mapping::new(ipv4.parse().unwrap(), "2001:db8::1/128".parse().unwrap()).unwrap()
    });
    let siit = Siit::new(&rows, prefix());
    assert_eq!(siit.to_ipv4(ip6("2001:db8::1")), Ok(ip4("198.51.100.8")));
}

#[test]
fn rfc7757_appendix_b_1_figure_8_a_packet_is_hairpinned() {
    let rows = figure_1();
    let siit = Siit::new(&rows, prefix());
    let mut buf = [0; 60];
    let (from, to) = (ip6("2001:db8:aaaa::"), ip6("64:ff9b::c000:202"));
    let sent = packet(from.into(), to.into(), &mut buf);
    let middle = siit.rewrite(&sent).unwrap();
    assert_eq!(middle.source, ip4("192.0.2.1"));
    assert_eq!(middle.destination, ip4("192.0.2.2"));
    assert!(siit.is_hairpin(to, ip4("192.0.2.2")), "§4.2.2");
    assert!(!siit.is_hairpin(ip6("64:ff9b::c633:6401"), ip4("198.51.100.1")));
    assert!(
        !siit.is_hairpin(ip6("2001:db8:bbbb::b"), ip4("192.0.2.2")),
        "by a row"
    );
    let turned = packet(middle.source, middle.destination, &mut buf);
    let last = siit.rewrite(&turned).unwrap();
    assert_eq!(last.source, ip6("64:ff9b::c000:201"), "rule 1");
    assert_eq!(last.destination, ip6("2001:db8:bbbb::b"));
    assert_eq!((last.source_port, last.destination_port), (7, 9));
}

/// An ICMPv4 error by `by` about a packet from one address to another, parsed.
fn error(by: &str, from: &str, to: &str) -> (Packet, Quoted) {
    let mut buf = [0; 60];
    let (from, to) = (ip4(from), ip4(to));
    let about = (IpAddr::V4(from), IpAddr::V4(to));
    let range =
        crate::packet::build::udp((about.0, 7).into(), (about.1, 9).into(), 52..60, &mut buf)
            .unwrap();
    let mut message = [0; 28 + 36];
    message[20] = 3;
    message[28..].copy_from_slice(&buf[range]);
    let sum = crate::checksum::Sum::ZERO.bytes(&message[20..]).checksum();
    message[22..24].copy_from_slice(&sum.to_be_bytes());
    let length = message.len() as u16;
    message[..10].copy_from_slice(&[0x45, 0, 0, length as u8, 0, 0, 0x40, 0, 64, 1]);
    message[12..16].copy_from_slice(&ip4(by).octets());
    message[16..20].copy_from_slice(&from.octets());
    let sum = crate::checksum::Sum::ZERO.bytes(&message[..20]).checksum();
    message[10..12].copy_from_slice(&sum.to_be_bytes());
    let packet = Packet::parse(&message).unwrap();
    let quoted = packet.quoted(&message).unwrap();
    (packet, quoted)
}

#[test]
fn rfc7757_appendix_b_1_figure_9_a_routers_error_is_hairpinned() {
    let rows = figure_1();
    let siit = Siit::new(&rows, prefix());
    let (packet, quoted) = error("198.51.100.1", "192.0.2.1", "192.0.2.2");
    let error = siit.rewrite_error(&packet, &quoted, None).unwrap();
    let (source, destination, inner) = (error.source, error.destination, error.quoted);
    assert_eq!(source, ip6("64:ff9b::c633:6401"));
    assert_eq!(destination, ip6("2001:db8:aaaa::"));
    assert_eq!(inner.source, ip6("2001:db8:aaaa::"));
    assert_eq!(inner.destination, ip6("64:ff9b::c000:202"), "rule 2");
}

#[test]
fn rfc7757_appendix_b_1_figure_10_a_hosts_error_is_hairpinned() {
    let rows = figure_1();
    let siit = Siit::new(&rows, prefix());
    let (packet, quoted) = error("192.0.2.2", "192.0.2.1", "192.0.2.2");
    let error = siit.rewrite_error(&packet, &quoted, None).unwrap();
    let (source, destination, inner) = (error.source, error.destination, error.quoted);
    assert_eq!(source, ip6("64:ff9b::c000:202"), "rule 3");
    assert_eq!(destination, ip6("2001:db8:aaaa::"));
    assert_eq!(inner.source, ip6("2001:db8:aaaa::"));
    assert_eq!(inner.destination, ip6("64:ff9b::c000:202"));
}
