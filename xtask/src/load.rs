//! Much traffic at once: bulk both ways, many transfers, a browser, a narrow link outside.

use core::fmt::Write;
use std::fs;

use crate::host::{SET, dig, start_with};
use crate::lab::{FAR, Lab, OUTSIDE, POD4, POD6};
use crate::process::text;
use crate::step::Outcome;
use crate::tree::Tree;

/// Transfers at the same time, by so many programs.
const TRANSFERS: usize = 1000;
const PROGRAMS: usize = 4;
/// Pictures of the page that a browser loads.
const PICTURES: usize = 120;

/// A host behind a link of 1300 bytes.
const FAR_HOST: &str = "2001:db8:46::81";

/// The step of the end-to-end tier.
pub(crate) fn check(tree: &Tree) -> Outcome {
    let lab = Lab::up(tree, 64 << 10)?;
    let result = run(tree, &lab);
    result.map_err(|why| format!("{why}\nthe gateway's log:\n{}", lab.log("gateway.log")))
}

fn run(tree: &Tree, lab: &Lab) -> Outcome {
    let gateway = start_with(tree, lab, &["--config", SET, "--log-sessions"])?;
    let mapped = lab.until("DNS", |lab| dig(lab, POD4, "", "six.example", "A"))?;
    let embedded = dig(lab, POD6, "", "four.example", "AAAA")?;
    let bulk = bulk(
        lab,
        &[
            (POD4, &mapped),
            (POD4, "203.0.113.80"),
            (POD6, &embedded),
            (POD6, "2001:db8:46::80"),
        ],
    )?;
    many(lab, &mapped)?;
    browser(lab, &mapped)?;
    narrow(lab)?;
    let log = lab.log("gateway.log");
    if !log.contains("session opened") {
        return Err("--log-sessions logs no sessions".to_owned());
    }
    gateway.signal("TERM")?;
    gateway.ended()?;
    Ok(format!(
        "{bulk}; {TRANSFERS} transfers at once; a page of {PICTURES} pictures in a browser; path MTU"
    ))
}

/// iperf3 over TCP and UDP, both ways.
fn bulk(lab: &Lab, ways: &[(&str, &str)]) -> Result<String, String> {
    let mut servers = Vec::new();
    // Bound: else UDP replies come from whatever address of the host is next to the way back.
    for own in ["2001:db8:46::80", "203.0.113.80"] {
        let mut server = lab.command(OUTSIDE, "iperf3");
        server.args(["-s", "-B", own]);
        servers.push(lab.launch(server, &format!("iperf3-{own}.log"))?);
    }
    let mut least = f64::INFINITY;
    for (pod, host) in ways {
        for options in ["", "-R", "-u -b 40M", "-u -b 40M -R"] {
            let line = format!("iperf3 -c {host} -t 1 -f m --connect-timeout 2000 {options}");
            let told = lab.until("iperf3", |lab| lab.text(pod, &line))?;
            let summary = told.lines().rfind(|line| line.contains("receiver"));
            let summary = summary.ok_or_else(|| format!("{line}: {told}"))?;
            let words: Vec<&str> = summary.split_whitespace().collect();
            let rate = words.iter().position(|word| *word == "Mbits/sec");
            let rate = rate.and_then(|at| words.get(at.checked_sub(1)?)?.parse::<f64>().ok());
            let rate = rate.ok_or_else(|| format!("{line}: {summary}"))?;
            if options.contains("-u") {
                let lost = summary.rsplit('(').next().unwrap_or_default();
                let lost = lost
                    .split('%')
                    .next()
                    .and_then(|lost| lost.parse::<f64>().ok());
                if lost.is_none_or(|lost| lost > 5.0) {
                    return Err(format!("{line}: {summary}"));
                }
            } else {
                least = least.min(rate);
            }
        }
    }
    Ok(format!(
        "iperf3 over {} ways, at least {least:.0} Mbit/s over TCP",
        ways.len()
    ))
}

/// A thousand transfers of one pod, which all leave from one SNAT address.
fn many(lab: &Lab, mapped: &str) -> Result<(), String> {
    let each = TRANSFERS / PROGRAMS;
    lab.text(OUTSIDE, "sysctl -q -w net.ipv4.tcp_max_syn_backlog=8192")?;
    let running = (0..PROGRAMS).map(|number| {
        let mut curl = lab.command(POD4, "curl");
        curl.args([
            "-sS",
            "-f",
            "--max-time",
            "120",
            "--retry",
            "0",
            "-Z",
            "--parallel-immediate",
        ])
        .args(["--parallel-max", &each.to_string(), "-o", "/dev/null"])
        .arg(format!("http://{mapped}/page?{number}-[1-{each}]"));
        lab.launch(curl, &format!("many-{number}.log"))
    });
    let running = running.collect::<Result<Vec<_>, _>>()?;
    for (number, one) in running.into_iter().enumerate() {
        let log = format!("many-{number}.log");
        one.ended()
            .map_err(|why| format!("{each} transfers: {why}: {}", lab.log(&log)))?;
    }
    println!("{TRANSFERS} transfers at once");
    Ok(())
}

/// A page that says in its title how many of its pictures came.
fn browser(lab: &Lab, mapped: &str) -> Result<(), String> {
    let www = lab.folder.join("www");
    let write = |name: &str, text: &str| {
        let path = www.join(name);
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    let mut page = String::from("<!doctype html><title>none</title><script>let n=0;</script>");
    for number in 0..PICTURES {
        let picture = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><rect width='{number}' height='9'/></svg>"
        );
        write(&format!("{number}.svg"), &picture)?;
        let _ = write!(
            page,
            "<img src='{number}.svg' onload=\"document.title='loaded '+(++n)\">"
        );
    }
    write("many.html", &page)?;
    let mut browser = lab.command(POD4, "chromium");
    browser
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--virtual-time-budget=8000",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            lab.folder.join("browser").display()
        ))
        .arg(format!("http://{mapped}/many.html"));
    let seen = text(browser)?;
    let wanted = format!("loaded {PICTURES}");
    if !seen.contains(&wanted) {
        let title = seen
            .split("<title>")
            .nth(1)
            .and_then(|rest| rest.split('<').next());
        return Err(format!("the browser's page says {title:?}, not {wanted}"));
    }
    println!("a page of {PICTURES} pictures in a browser");
    Ok(())
}

/// A link of 1300 bytes beyond the next router, whose ICMP must reach the pod.
fn narrow(lab: &Lab) -> Result<(), String> {
    let (out, far) = (lab.space(OUTSIDE), lab.space(FAR));
    for line in [
        format!("netns add {far}"),
        format!("-n {far} link set lo up"),
        format!("link add narrow netns {out} mtu 1300 type veth peer name eth0 netns {far}"),
        format!("-n {out} link set narrow up"),
        format!("-n {far} link set eth0 up"),
        format!("-n {out} addr add 2001:db8:46:1::1/64 dev narrow nodad"),
        format!("-n {far} addr add 2001:db8:46:1::2/64 dev eth0 nodad"),
        format!("-n {far} addr add {FAR_HOST}/128 dev lo nodad"),
        format!("-n {far} -6 route add default via 2001:db8:46:1::1"),
        format!("-n {out} -6 route add {FAR_HOST}/128 via 2001:db8:46:1::2"),
    ] {
        let mut ip = std::process::Command::new("ip");
        ip.args(line.split_whitespace());
        text(ip)?;
    }
    lab.text(OUTSIDE, "sysctl -q -w net.ipv6.conf.all.forwarding=1")?;
    let mut server = lab.command(FAR, "iperf3");
    server.arg("-s");
    let _server = lab.launch(server, "iperf3-far.log")?;
    let mapped = dig(lab, POD4, "", "far.example", "A")?;
    let line = format!("iperf3 -c {mapped} -t 2 -f m");
    let told = lab.until("iperf3 over the narrow link", |lab| lab.text(POD4, &line))?;
    let summary = told.lines().rfind(|line| line.contains("receiver"));
    if summary.is_none_or(|line| line.contains(" 0.00 ")) {
        return Err(format!("{line}: {told}"));
    }
    let learned = lab.text(POD4, &format!("ip route get {mapped}"))?;
    // 1300 bytes outside are 1280 to a pod: the header is 20 bytes shorter.
    if !learned.contains("mtu 1280") {
        return Err(format!("the pod has learned {learned}"));
    }
    println!(
        "a link of 1300 bytes: the pod has learned {}",
        learned.trim()
    );
    Ok(())
}
