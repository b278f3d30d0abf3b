//! Spoiled packets on both sides, as fast as they can be sent, and honest traffic between them.

use std::fs;
use std::process::Command;

use crate::host::{SET, dig, start_with, sum};
use crate::lab::{GATEWAY, Lab, OUTSIDE, POD4, pause_millis};
use crate::neighbours::Neighbours;
use crate::step::Outcome;
use crate::tree::Tree;

/// The step of the end-to-end tier.
pub(crate) fn check(tree: &Tree) -> Outcome {
    seconds(tree, 6)
}

/// So many seconds: no crash, memory flat, a page every second.
pub(crate) fn seconds(tree: &Tree, seconds: u64) -> Outcome {
    // Spoofed pods are asked for by the host, each of them: without room its table forgets the honest ones.
    let neighbours = Neighbours::raise();
    let lab = Lab::up(tree, 1 << 20)?;
    let result = run(tree, &lab, seconds);
    let room = if neighbours.is_some() {
        ""
    } else {
        "; the host's neighbour table could not be enlarged"
    };
    let result = result.map(|told| told + room);
    result.map_err(|why| {
        format!(
            "{why}{room}\nthe gateway's log:\n{}",
            lab.log("gateway.log")
        )
    })
}

fn run(tree: &Tree, lab: &Lab, seconds: u64) -> Outcome {
    let gateway = start_with(tree, lab, &["--config", SET])?;
    let mapped = lab.until("DNS", |lab| dig(lab, POD4, "", "six.example", "A"))?;
    let wanted = sum(Command::new("sha256sum").arg(lab.folder.join("www/page")))?;
    let script = lab.folder.join("storm.py");
    fs::write(&script, include_str!("storm.py")).map_err(|error| error.to_string())?;
    let storm = |space: &str, towards: &str, side: &str| {
        let address = format!("cat /sys/class/net/{towards}/address");
        let mac = lab.text(GATEWAY, &address)?;
        let mut python = lab.command(space, "python3");
        python
            .arg(&script)
            .args(["eth0", mac.trim(), &seconds.to_string(), "7", side]);
        lab.launch(python, &format!("storm-{side}.log"))
    };
    let storms = [
        storm(POD4, "br-in", "inside")?,
        storm(OUTSIDE, "ext0", "outside")?,
    ];
    let (mut pages, mut half) = (0, 0);
    for second in 0..seconds {
        pause_millis(500);
        let line = format!("curl -sS --max-time 20 -o page.storm http://{mapped}/page");
        let mut curl = lab.command(POD4, "curl");
        curl.args(line.split_whitespace().skip(1))
            .current_dir(&lab.folder);
        crate::process::text(curl).map_err(|why| format!("under the storm: {why}"))?;
        if sum(Command::new("sha256sum").arg(lab.folder.join("page.storm")))? != wanted {
            return Err("another page than the one sent".to_owned());
        }
        pages += 1;
        if second == seconds / 2 {
            half = resident(lab)?;
        }
    }
    for one in storms {
        one.ended()?;
    }
    let end = resident(lab)?;
    let sent = ["inside", "outside"].map(|side| lab.log(&format!("storm-{side}.log")));
    let sent: u64 = sent
        .iter()
        .filter_map(|sent| sent.trim().parse::<u64>().ok())
        .sum();
    if end > half + half / 10 + 16 * 1024 {
        return Err(format!("memory grew from {half} KiB to {end} KiB"));
    }
    let again = dig(lab, POD4, "", "six.example", "A")?;
    if again != mapped {
        return Err(format!(
            "six.example was {mapped}, and is {again} behind the storm"
        ));
    }
    gateway.signal("TERM")?;
    gateway.ended()?;
    Ok(format!(
        "{sent} spoiled packets in {seconds} s, {pages} pages meanwhile, {end} KiB"
    ))
}

/// KiB of the gateway that are in memory.
fn resident(lab: &Lab) -> Result<u64, String> {
    let found = lab.text(GATEWAY, "pgrep -f egress-gateway.run")?;
    let mut most = 0;
    for process in found.split_whitespace() {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        // All namespaces share processes: of this lab is whose state lies in its folder.
        let line = fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        if !line.contains(&*lab.folder.to_string_lossy()) {
            continue;
        }
        let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size = size.and_then(|size| size.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(size.unwrap_or(0));
    }
    if most == 0 {
        return Err("the gateway is gone".to_owned());
    }
    Ok(most)
}
