//! A VLAN that moves to another device while the gateway runs.

use std::fs;

use crate::host::start_with;
use crate::lab::{GATEWAY, Lab};
use crate::renew;
use crate::tree::Tree;

/// Answering for the gateway's addresses follows the VLAN: the former device is as it was, and at the
/// end the latter too. `from` and `to` have no address.
pub(crate) fn check(tree: &Tree, lab: &Lab, from: &str, to: &str) -> Result<(), String> {
    let settings = |device: &str| {
        let names = [
            format!("net.ipv4.conf.{device}.proxy_arp"),
            format!("net.ipv4.neigh.{device}.proxy_delay"),
            format!("net.ipv6.conf.{device}.proxy_ndp"),
            format!("net.ipv6.neigh.{device}.proxy_delay"),
        ];
        // A dot in a device's name is a slash to sysctl.
        let names = names.map(|name| name.replace(device, &device.replace('.', "/")));
        lab.text(GATEWAY, &format!("sysctl -n {}", names.join(" ")))
            .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    const ANSWERS: &str = "1 0 1 0";
    let folder = lab.folder.join("moved");
    renew::copy(tree, &folder)?;
    let (before_from, before_to) = (settings(from)?, settings(to)?);
    if before_from == ANSWERS || before_to == ANSWERS {
        return Err(format!(
            "{from} or {to} answers already: nothing would be seen"
        ));
    }
    let (one, other) = (format!("1.2={from}"), format!("1.3={to}"));
    let path = folder.to_string_lossy();
    let options = [
        "--config",
        &path,
        "--interface",
        &one,
        "--interface",
        &other,
    ];
    let gateway = start_with(tree, lab, &options)?;
    if settings(from)? != ANSWERS || settings(to)? != before_to {
        return Err(format!(
            "at first {from} has {} and {to} {}",
            settings(from)?,
            settings(to)?
        ));
    }
    let file = folder.join("vlans.yaml");
    let told = |error: std::io::Error| format!("{}: {error}", file.display());
    let text = fs::read_to_string(&file).map_err(told)?;
    fs::write(&file, text.replace("\"1.2\"", "\"1.3\"")).map_err(told)?;
    lab.until("answering does not move with the VLAN", |_| {
        let (from, to) = (settings(from)?, settings(to)?);
        if from == before_from && to == ANSWERS {
            Ok(())
        } else {
            Err(format!("{from} and {to}"))
        }
    })?;
    gateway.signal("TERM")?;
    gateway.ended()?;
    if settings(to)? != before_to {
        return Err(format!("{to} had {before_to} and has {}", settings(to)?));
    }
    println!("a VLAN that moves: the device before is as it was");
    Ok(())
}
