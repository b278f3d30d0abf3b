use proptest::prelude::*;

use super::*;

const HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 33);

fn prefix(text: &str) -> Prefix {
    Prefix::new(text.parse().unwrap()).unwrap()
}

#[test]
fn rfc6052_s2_4_text_representation() {
    for (network, embedded) in [
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
        ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
    ] {
        let embedded: Ipv6Addr = embedded.parse().unwrap();
        assert_eq!(prefix(network).embed(HOST), embedded, "{network}");
        assert_eq!(prefix(network).extract(embedded), Some(HOST), "{network}");
    }
}

#[test]
fn rfc6052_s2_2_six_lengths_only() {
    for length in 0..=128 {
        let network = Ipv6Net::new("2001:db8::".parse().unwrap(), length).unwrap();
        let allowed = [32, 40, 48, 56, 64, 96].contains(&length);
        assert_eq!(Prefix::new(network).is_ok(), allowed, "{length}");
    }
}

#[test]
fn rfc6052_s2_2_bits_64_to_71_of_a_96_are_zero() {
    let network = "2001:db8:0:0:100::/96".parse().unwrap();
    assert_eq!(
        Prefix::new(network),
        Err(PrefixError::ReservedOctet { found: 1 })
    );
}

#[test]
fn rfc6052_s2_2_suffix_is_ignored() {
    let address = "2001:db8:122:3c0:0:221:dead:beef".parse().unwrap();
    assert_eq!(prefix("2001:db8:122:300::/56").extract(address), Some(HOST));
}

#[test]
fn rfc6052_s3_1_well_known_prefix_holds_global_addresses_only() {
    let strict = prefix("64:ff9b::/96");
    for special in [
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "172.31.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.0.1",
        "198.19.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "255.255.255.255",
    ] {
        let address: Ipv4Addr = special.parse().unwrap();
        assert_eq!(strict.to_ipv6(address), Err(Unmapped), "{special}");
        assert_eq!(
            strict.to_ipv4(strict.embed(address)),
            Err(Unmapped),
            "{special}"
        );
        assert!(
            strict.allow_non_global().to_ipv6(address).is_ok(),
            "{special}"
        );
        assert!(
            prefix("2001:db8::/96").to_ipv6(address).is_ok(),
            "{special}"
        );
    }
    for global in [
        "8.8.8.8",
        "100.128.0.1",
        "172.32.0.1",
        "192.88.99.1",
        "198.20.0.1",
    ] {
        assert!(strict.to_ipv6(global.parse().unwrap()).is_ok(), "{global}");
    }
}

#[test]
fn rfc8215_local_use_prefix_holds_private_addresses() {
    let local = prefix("64:ff9b:1:fffe::/96");
    assert!(local.to_ipv6(Ipv4Addr::new(10, 0, 0, 1)).is_ok());
}

proptest! {
    #[test]
    fn extract_undoes_embed(bits: u32, network: u128, length in 0..6_usize) {
        let length = [32, 40, 48, 56, 64, 96][length];
        let network = network & !(0xff << 56);
        let network = Ipv6Net::new(Ipv6Addr::from_bits(network), length).unwrap();
        let prefix = Prefix::new(network).unwrap();
        let embedded = prefix.embed(Ipv4Addr::from_bits(bits));
        prop_assert_eq!(embedded.octets()[8], 0);
        prop_assert_eq!(prefix.extract(embedded), Some(Ipv4Addr::from_bits(bits)));
    }
}
