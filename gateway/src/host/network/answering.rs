//! Devices on which the host answers for addresses that are the gateway's: those of the VLANs, and no
//! other once a VLAN has moved.

use super::{Network, NetworkError};

/// What they are set to, by the path below `/proc/sys` before the device's name and after it.
const SETTINGS: [(&str, &str, &str); 4] = [
    ("net/ipv4/conf/", "/proxy_arp", "1"),
    // At once.
    ("net/ipv4/neigh/", "/proxy_delay", "0"),
    ("net/ipv6/conf/", "/proxy_ndp", "1"),
    ("net/ipv6/neigh/", "/proxy_delay", "0"),
];

impl Network {
    /// Answers on a device.
    pub(super) fn answer_on(&mut self, device: &str) -> Result<(), NetworkError> {
        for (before, after, value) in SETTINGS {
            let setting = format!("{before}{device}{after}");
            self.set(&setting, value)?;
            self.answering.insert(setting);
        }
        Ok(())
    }

    /// Devices that a plan before was about, or a life before that could not put them back, are as
    /// they were.
    pub(super) fn answer_no_more_elsewhere(&mut self) {
        let answering = &self.answering;
        let left = |setting: &str| is_one(setting) && !answering.contains(setting);
        for (name, error) in self.settings.put_back(left) {
            tracing::warn!("/proc/sys/{name} is not as it was: {error}");
        }
    }
}

fn is_one(setting: &str) -> bool {
    let mut settings = SETTINGS.iter();
    settings.any(|(before, after, _)| setting.starts_with(before) && setting.ends_with(after))
}

#[cfg(test)]
mod tests {
    use super::is_one;

    #[test]
    fn only_settings_of_answering_are_put_back_early() {
        for setting in [
            "net/ipv4/conf/eth1/proxy_arp",
            "net/ipv4/neigh/eth1.100/proxy_delay",
            "net/ipv6/conf/eth1/proxy_ndp",
            "net/ipv6/neigh/eth1/proxy_delay",
        ] {
            assert!(is_one(setting), "{setting}");
        }
        for setting in [
            "net/ipv4/ip_forward",
            "net/ipv4/conf/eth1/forwarding",
            "net/ipv4/conf/egress0-in/rp_filter",
            "net/ipv6/conf/eth1/accept_ra",
        ] {
            assert!(!is_one(setting), "{setting}");
        }
    }
}
