//! The gateway on a real host: programs that nobody here wrote, through it.

use std::path::PathBuf;
use std::process::Command;

use crate::lab::{GATEWAY, Lab, OUTSIDE, POD4, POD6, Running};
use crate::moved;
use crate::process::{cargo, text, watch};
use crate::renew;
use crate::step::Outcome;
use crate::tree::Tree;

/// Bytes of the page that every way carries.
const PAGE: usize = 64 << 20;

/// The resources.
pub(crate) const SET: &str = "gateway/samples/sets/mixed";

/// A resolver that exists nowhere, for each family of pods.
const RESOLVER: &str = "198.51.100.53";
const RESOLVER6: &str = "2001:db8:53::53";

/// The step of the end-to-end tier.
pub(crate) fn check(tree: &Tree) -> Outcome {
    check_with(tree, PAGE)
}

/// The same with a page of another size.
pub(crate) fn check_with(tree: &Tree, page: usize) -> Outcome {
    let lab = Lab::up(tree, page)?;
    // What an operator may have: settings of single devices, a route, an entry that the gateway needs too.
    for line in [
        "sysctl -q -w net.ipv4.conf.ext0.forwarding=1 net.ipv6.conf.br-in.forwarding=1",
        "ip route add 198.18.0.0/15 via 10.20.2.216",
        "ip -6 neigh add proxy 2002::10:50:20:1 dev ext0",
    ] {
        lab.text(GATEWAY, line)?;
    }
    let before = host_state(&lab)?;
    let gateway = start(tree, &lab)?;
    let result = traffic(&lab).and_then(|()| strangers(&lab));
    let result = result.and_then(|()| asked(tree, &lab));
    let result = result.and_then(|()| killed(tree, &lab, gateway, &before));
    let result = result.and_then(|()| a_route_of_the_operator_stays(tree, &lab));
    let result = result.and_then(|()| renew::check(tree, &lab));
    let result = result.and_then(|()| a_vlan_without_a_device_is_told(tree, &lab));
    let result = result.and_then(|()| tagged(tree, &lab));
    // The outside has no address on these devices any more.
    let result = result.and_then(|()| moved::check(tree, &lab, "ext0", "ext0.100"));
    result.map_err(|why| format!("{why}\nthe gateway's log:\n{}", lab.log("gateway.log")))?;
    Ok(
        "dig, curl, ping, traceroute over five ways; strangers; kill -9; reload and restart under transfers; \
         the status page; the host as before"
            .to_owned(),
    )
}

fn start(tree: &Tree, lab: &Lab) -> Result<Running, String> {
    start_with(tree, lab, &["--config", SET])
}

pub(crate) fn start_with(tree: &Tree, lab: &Lab, options: &[&str]) -> Result<Running, String> {
    let mut run = lab.command(GATEWAY, &program(tree).to_string_lossy());
    run.arg("run")
        .args(options)
        .arg("--state")
        .arg(lab.folder.join("state"));
    let running = lab.launch(run, "gateway.log")?;
    lab.until("the gateway does not start", |lab| {
        lab.text(POD4, "ping -c 1 -W 1 10.244.0.2")
    })?;
    Ok(running)
}

/// Builds it as the sources are now: a step that is asked for alone must not run what was built before.
pub(crate) fn build(tree: &Tree) -> Result<(), String> {
    let line = "build --locked --release --package egress-gateway";
    watch(cargo(tree, line))
}

pub(crate) fn program(tree: &Tree) -> PathBuf {
    tree.target.join("release/egress-gateway")
}

/// The program, with words for the gateway that runs.
pub(crate) fn asks(tree: &Tree, lab: &Lab, line: &str) -> Command {
    let mut command = Command::new(program(tree));
    command
        .args(line.split_whitespace())
        .arg("--state")
        .arg(lab.folder.join("state"));
    command
}

/// The first address that a pod is told.
pub(crate) fn dig(
    lab: &Lab,
    pod: &str,
    options: &str,
    name: &str,
    kind: &str,
) -> Result<String, String> {
    let resolver = if pod == POD4 { RESOLVER } else { RESOLVER6 };
    let asked = format!("dig +short +time=3 +tries=2 {options} @{resolver} {name} {kind}");
    let told = lab.text(pod, &asked)?;
    let first = told.lines().next().unwrap_or_default().trim().to_owned();
    if first.is_empty() || first.starts_with(';') {
        return Err(format!("{pod}: {asked}: {told:?}"));
    }
    Ok(first)
}

fn traffic(lab: &Lab) -> Result<(), String> {
    let sum = sum(Command::new("sha256sum").arg(lab.folder.join("www/page")))?;
    let mapped = lab.until("DNS", |lab| dig(lab, POD4, "", "six.example", "A"))?;
    if !mapped.starts_with("10.46.0.") {
        return Err(format!("six.example is {mapped}, no address of the subnet"));
    }
    let pointer = dig(lab, POD4, "", "", &format!("-x {mapped}"))?;
    if !pointer.ends_with(".dns46.internal.") {
        return Err(format!("the pointer of {mapped} is {pointer:?}"));
    }
    let well_known = dig(lab, POD6, "", "ipv4only.arpa", "AAAA")?;
    if !well_known.starts_with("2001:db8:64::c000:a") {
        return Err(format!("ipv4only.arpa is {well_known:?}"));
    }
    let over_tcp = dig(lab, POD4, "+tcp", "six.example", "A")?;
    if over_tcp != mapped {
        return Err(format!("over TCP six.example is {over_tcp}, not {mapped}"));
    }
    let plain = dig(lab, POD4, "", "both.example", "A")?;
    if plain != "203.0.113.80" {
        return Err(format!("both.example is {plain}"));
    }
    let embedded = dig(lab, POD6, "", "four.example", "AAAA")?;
    if embedded != "2001:db8:64::cb00:7150" {
        return Err(format!("four.example is {embedded} to an IPv6 pod"));
    }
    // debugLogEnabled.
    let entry = format!("New DNS46 entry: {mapped} => 2001:db8:46::80");
    if !lab.log("gateway.log").contains(&entry) {
        return Err(format!("the log does not tell: {entry}"));
    }
    for (way, pod, host) in [
        ("NAT46", POD4, mapped.as_str()),
        ("SNAT of IPv4", POD4, "203.0.113.80"),
        ("NAT64", POD6, embedded.as_str()),
        ("SNAT of IPv6", POD6, "2001:db8:46::80"),
    ] {
        let authority = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        let line = format!("curl -sS --max-time 60 -o page.got http://{authority}/page");
        let mut curl = lab.command(pod, "curl");
        curl.args(line.split_whitespace().skip(1))
            .current_dir(&lab.folder);
        text(curl).map_err(|why| format!("{way}: {why}"))?;
        let got = self::sum(Command::new("sha256sum").arg(lab.folder.join("page.got")))?;
        if got != sum {
            return Err(format!("{way}: another page than the one sent"));
        }
        lab.text(pod, &format!("ping -c 2 -i 0.2 -W 2 {host}"))
            .map_err(|why| format!("{way}: {why}"))?;
        let hops = lab.text(pod, &format!("traceroute -n -w 2 -q 1 -m 6 {host}"))?;
        let own = if pod == POD4 {
            "10.244.0.2"
        } else {
            "2002::10:244:0:2"
        };
        if !hops.contains(own)
            || !hops
                .trim_end()
                .lines()
                .last()
                .is_some_and(|last| last.contains(host))
        {
            return Err(format!("{way}: traceroute shows\n{hops}"));
        }
        println!("{way}: the page, pings, and the hop shown");
    }
    Ok(())
}

pub(crate) fn sum(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    printed
        .split_whitespace()
        .next()
        .map(ToOwned::to_owned)
        .ok_or_else(|| "sha256sum says nothing".to_owned())
}

/// Nobody outside is answered, or carried on.
fn strangers(lab: &Lab) -> Result<(), String> {
    for address in ["10.20.2.2", "10.20.2.101", "10.46.0.4"] {
        let asked = format!("dig +short +time=1 +tries=1 @{address} six.example A");
        if let Ok(told) = lab.text(OUTSIDE, &asked)
            && !told.trim().is_empty()
            && !told.contains("timed out")
            && !told.contains("no servers")
        {
            return Err(format!("a stranger was answered: {asked}: {told}"));
        }
    }
    for target in [
        "http://10.46.0.4/page",
        "http://[2001:db8:64::cb00:7150]/page",
    ] {
        let mut curl = lab.command(OUTSIDE, "curl");
        curl.args(["-sS", "--max-time", "2", "-o", "/dev/null", target]);
        if text(curl).is_ok() {
            return Err(format!("a stranger was carried to {target}"));
        }
    }
    println!("strangers outside: not answered, not carried");
    Ok(())
}

/// The gateway tells what it does, and takes orders.
fn asked(tree: &Tree, lab: &Lab) -> Result<(), String> {
    let state = lab.folder.join("state");
    let gateway = |line: &str| text(asks(tree, lab, line));
    let tables = gateway("tmctl -d blade virtual_server_stat -s name,clientside.tot_conns")?;
    let link = lab.folder.join("tmctl");
    std::os::unix::fs::symlink(program(tree), &link).map_err(|error| error.to_string())?;
    let mut by_name = Command::new(&link);
    by_name.args("-d blade virtual_server_stat -s name,clientside.tot_conns".split(' '));
    by_name.arg("--state").arg(&state);
    if text(by_name)?.lines().next() != tables.lines().next() {
        return Err("called as tmctl it prints something else".to_owned());
    }
    let head = "name              clientside.tot_conns\n----------------- --------------------\n";
    let nat46 = tables
        .lines()
        .find(|line| line.starts_with("egress-ipv4-nat46"));
    if !tables.starts_with(head) || nat46.is_none_or(|line| line.ends_with(" 0")) {
        return Err(format!("tmctl prints\n{tables}"));
    }
    for (line, wanted) in [
        ("show mappings", "2001:db8:46::80"),
        ("show sessions", "10.244.1.10:"),
        ("show destinations", "2001:db8:46::80"),
        ("show pools -o csv", "2002::10:50:20:1"),
        ("show cache", "derived_hits"),
        ("show stats -o json", "\"egress-ipv6-nat64\""),
        ("show stats -o csv", "\nvirtual_servers,egress-ipv4-nat46,"),
        (
            "show stats -o csv",
            "\naddresses.sessions,2002::10:50:20:1 pods,",
        ),
        ("show cache -o csv", "\nderived_hits,,"),
        ("show mappings -o csv", "address,host,state,sessions\n"),
        ("mappings set 10.46.0.1 2001:db8:46::80", ""),
    ] {
        match gateway(line) {
            Ok(told) if told.contains(wanted) && !wanted.is_empty() => {}
            // That host has an address already.
            Err(why) if wanted.is_empty() && why.contains("409") => {}
            told => return Err(format!("{line}: {told:?}")),
        }
    }
    gateway("mappings set 10.46.0.1 2001:db8:46::81")?;
    gateway("mappings delete 10.46.0.1")?;
    gateway("flush example")?;
    let socket = state.join("replica-0-admin.sock");
    let mut curl = Command::new("curl");
    curl.arg("-sS").arg("--unix-socket").arg(&socket);
    let metrics = text({
        curl.arg("http://gateway/metrics");
        curl
    })?;
    let wanted = [
        "egress_connections_total{virtual_server=\"egress-ipv4-nat46\"}",
        "# EOF",
    ];
    if !wanted.iter().all(|text| metrics.contains(text)) {
        return Err(format!("the metrics are\n{metrics}"));
    }
    println!("tmctl, show, mappings, flush and metrics");
    Ok(())
}

/// Mappings outlive kill -9; SIGTERM leaves the host as it was.
fn killed(tree: &Tree, lab: &Lab, gateway: Running, before: &str) -> Result<(), String> {
    let mapped = dig(lab, POD4, "", "six.example", "A")?;
    gateway.signal("KILL")?;
    drop(gateway);
    let gateway = start(tree, lab)?;
    // Nobody asks: the address alone must do, and within a second.
    let line =
        format!("curl -sS --connect-timeout 1 --max-time 60 -o /dev/null http://{mapped}/page");
    lab.text(POD4, &line)
        .map_err(|why| format!("after kill -9: {why}"))?;
    let again = dig(lab, POD4, "", "six.example", "A")?;
    if again != mapped {
        return Err(format!(
            "after kill -9 six.example is {again}, not {mapped}"
        ));
    }
    gateway.signal("TERM")?;
    gateway.ended()?;
    let after = host_state(lab)?;
    if after != before {
        return Err(format!("the host was\n{before}\nand is now\n{after}"));
    }
    println!("kill -9: the mapping is there; SIGTERM: the host is as before");
    Ok(())
}

/// A route that leads elsewhere what the gateway needs is told, and stays.
fn a_route_of_the_operator_stays(tree: &Tree, lab: &Lab) -> Result<(), String> {
    lab.text(GATEWAY, "ip route add 10.46.0.0/28 via 10.20.2.216")?;
    let before = host_state(lab)?;
    let mut run = lab.command(GATEWAY, &program(tree).to_string_lossy());
    run.args(["run", "--config", SET, "--state"])
        .arg(lab.folder.join("state"));
    let output = run.output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let wanted = "10.46.0.0/28 via 10.20.2.216 dev ext0";
    if output.status.code() != Some(2) || !told.contains(wanted) {
        return Err(format!("{}: {told}", output.status));
    }
    let after = host_state(lab)?;
    if after != before {
        return Err(format!("the host was\n{before}\nand is now\n{after}"));
    }
    lab.text(GATEWAY, "ip route del 10.46.0.0/28")?;
    println!("a route of the operator: told, and kept");
    Ok(())
}

/// What is missing is told, with what to do, and nothing is changed.
fn a_vlan_without_a_device_is_told(tree: &Tree, lab: &Lab) -> Result<(), String> {
    let before = host_state(lab)?;
    let mut run = lab.command(OUTSIDE, &program(tree).to_string_lossy());
    run.args(["run", "--config", SET, "--state"])
        .arg(lab.folder.join("state-2"));
    let output = run.output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let wanted = ["VLAN internal", "10.244.0.0/16", "--interface 1.1=DEVICE"];
    if output.status.code() != Some(2) || !wanted.iter().all(|text| told.contains(text)) {
        return Err(format!("{}: {told}", output.status));
    }
    if host_state(lab)? != before {
        return Err("a gateway that did not start left traces".to_owned());
    }
    println!("a VLAN without a device: told");
    Ok(())
}

/// The outside on the device of a tagged VLAN, and a name server behind a router. The device is made
/// here, and no 802.1Q one: not every kernel has those.
fn tagged(tree: &Tree, lab: &Lab) -> Result<(), String> {
    let folder = lab.folder.join("tagged");
    let copied = std::fs::create_dir_all(&folder);
    copied.map_err(|error| format!("{}: {error}", folder.display()))?;
    for name in [
        "dnscache.yaml",
        "egress.yaml",
        "snatpool.yaml",
        "vlans.yaml",
    ] {
        let mut text = tree.read(&format!("{SET}/{name}"))?;
        match name {
            "vlans.yaml" => {
                let at = text.rfind("  mtu: 1500").ok_or("no MTU in the sample")?;
                text.insert_str(at, "  tag: 100\n");
            }
            // The name server is on no VLAN of ours: by the first router that is.
            "dnscache.yaml" => {
                text = text.replace("2002::10:20:2:216", "10.99.0.53");
                text = text.replace("10.20.2.216", "10.99.0.53");
            }
            "egress.yaml" => text = text.replace("\"2002::10:20:2:216\"", "\"10.99.0.53\""),
            _ => {}
        }
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    lab.text(GATEWAY, "ip link add ext0.100 type veth peer name far")?;
    lab.text(
        GATEWAY,
        &format!("ip link set far netns {}", lab.space(OUTSIDE)),
    )?;
    lab.text(GATEWAY, "ip link set ext0.100 up")?;
    for line in [
        "ip addr flush dev eth0",
        "ip link set far name eth0.100",
        "ip link set eth0.100 up",
        "ip addr add 10.20.2.216/24 dev eth0.100",
        "ip addr add 2002::10:20:2:216/112 dev eth0.100 nodad",
        "ip addr add 10.99.0.53/32 dev lo",
        "ip -6 route replace 2002::10:50:20:0/112 dev eth0.100",
    ] {
        lab.text(OUTSIDE, line)?;
    }
    lab.text(GATEWAY, "ip addr flush dev ext0")?;
    let unbound = lab.log("unbound.conf").replace("10.20.2.216", "10.99.0.53");
    let unbound = unbound.replace("  interface: 2002::10:20:2:216\n", "");
    let config = folder.join("unbound.conf");
    std::fs::write(&config, unbound).map_err(|error| error.to_string())?;
    let mut server = lab.command(OUTSIDE, "unbound");
    server.arg("-c").arg(&config);
    let _server = lab.launch(server, "unbound-2.log")?;

    let path = folder.to_string_lossy().into_owned();
    let gateway = start_with(tree, lab, &["--config", &path, "--interface", "1.2=ext0"])?;
    lab.text(GATEWAY, "ip route replace default via 10.20.2.216")?;
    lab.text(GATEWAY, "ip -6 route replace default via 2002::10:20:2:216")?;
    let hop = lab.text(GATEWAY, "ip route get 10.99.0.53")?;
    if !hop.contains("via 10.20.2.216 dev ext0.100") {
        return Err(format!("the name server is reached by {hop}"));
    }
    let mapped = lab.until("DNS over a tagged VLAN", |lab| {
        dig(lab, POD4, "", "six.example", "A")
    })?;
    let line = format!("curl -sS --max-time 20 -o /dev/null http://{mapped}/page");
    lab.text(POD4, &line)?;
    gateway.signal("TERM")?;
    gateway.ended()?;
    println!("tagged VLAN: its own device; the name server by its router");
    Ok(())
}

/// Rules, routes, proxies and settings of the gateway's namespace.
fn host_state(lab: &Lab) -> Result<String, String> {
    let mut state = String::new();
    for line in [
        "ip rule",
        "ip -6 rule",
        "ip route show table all",
        "ip -6 neigh show proxy",
        "sysctl net.ipv4.ip_forward net.ipv4.neigh.br-in.proxy_delay net.ipv6.neigh.br-in.proxy_delay",
        r"sysctl -a -r ^net\.ipv4\.conf\..*\.(forwarding|accept_redirects|proxy_arp|rp_filter)$",
        r"sysctl -a -r ^net\.ipv6\.conf\..*\.(forwarding|accept_redirects|proxy_ndp|accept_ra)$",
    ] {
        for line in lab.text(GATEWAY, line)?.lines() {
            // The kernel's own come when it has found its addresses to be free.
            if !["fe80", "table local"].iter().any(|own| line.contains(own)) {
                state.push_str(line.trim_end());
                state.push('\n');
            }
        }
    }
    Ok(state)
}
