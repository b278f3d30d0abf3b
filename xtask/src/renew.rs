//! Reloads and restarts while pods transfer.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::host::{SET, asks, dig, program, start_with, sum};
use crate::lab::{GATEWAY, Lab, POD4, Running};
use crate::page;
use crate::process::text;
use crate::tree::Tree;

/// Transfers at the same time.
const TRANSFERS: usize = 8;
/// Bytes a second of each: a page takes eight seconds or so.
const RATE: &str = "8M";

/// What the sorry IP answers with.
const SORRY: &str = "<!doctype html><title>Sorry</title><p>No address is free. Try again soon.\n";

pub(crate) fn check(tree: &Tree, lab: &Lab) -> Result<(), String> {
    let folder = lab.folder.join("renew");
    copy(tree, &folder)?;
    let path = folder.to_string_lossy().into_owned();
    let token = lab.folder.join("token");
    let token = token.to_string_lossy().into_owned();
    let sorry = lab.folder.join("sorry.html");
    fs::write(&sorry, SORRY).map_err(|error| error.to_string())?;
    let sorry = sorry.to_string_lossy().into_owned();
    let options = [
        "--config",
        &path,
        "--http",
        page::ADDRESS,
        "--http-token",
        &token,
        "--sorry-page",
        &sorry,
        "--on-miss",
        "sorry",
    ];
    let gateway = start_with(tree, lab, &options)?;
    let mapped = lab.until("DNS", |lab| dig(lab, POD4, "", "six.example", "A"))?;
    let wanted = sum(Command::new("sha256sum").arg(lab.folder.join("www/page")))?;

    let running = transfers(lab, &mapped)?;
    reload(lab, &gateway, &folder)?;
    gateway.signal("TERM")?;
    gateway.ended()?;
    if !lab.folder.join("state/replica-0-sessions").exists() {
        return Err("the sessions were not kept".to_owned());
    }
    let gateway = start_with(tree, lab, &options)?;
    if !lab
        .log("gateway.log")
        .contains("flows of the life before go on")
    {
        return Err("no flow was taken over".to_owned());
    }
    for (number, transfer) in running.into_iter().enumerate() {
        transfer
            .ended()
            .map_err(|why| format!("transfer {number} under reload and restart: {why}"))?;
        let got = lab.folder.join(format!("page.{number}"));
        if sum(Command::new("sha256sum").arg(got))? != wanted {
            return Err(format!("transfer {number}: another page than the one sent"));
        }
    }
    println!("{TRANSFERS} transfers outlived two reloads, and a stop and start");
    asked(tree, lab, &mapped)?;
    looked(tree, lab, &mapped)?;
    sorry_page(lab, &mapped)?;
    page::check(tree, lab, &token)?;
    gateway.signal("TERM")?;
    gateway.ended()
}

pub(crate) fn copy(tree: &Tree, folder: &Path) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(told)?;
    for entry in fs::read_dir(tree.root.join(SET)).map_err(told)? {
        let from = entry.map_err(told)?.path();
        let name = from.file_name().unwrap_or_default().to_owned();
        fs::copy(&from, folder.join(name)).map_err(told)?;
    }
    Ok(())
}

fn transfers(lab: &Lab, mapped: &str) -> Result<Vec<Running>, String> {
    let start = |number: usize| {
        let mut curl = lab.command(POD4, "curl");
        curl.args(["-sS", "--max-time", "300", "--limit-rate", RATE, "-o"])
            .arg(lab.folder.join(format!("page.{number}")))
            .arg(format!("http://{mapped}/page"));
        lab.launch(curl, &format!("curl-{number}.log"))
    };
    let running = (0..TRANSFERS).map(start).collect::<Result<Vec<_>, _>>()?;
    lab.until("transfers do not start", |lab| {
        let sizes = (0..TRANSFERS).map(|number| {
            let path = lab.folder.join(format!("page.{number}"));
            fs::metadata(path).map_or(0, |file| file.len())
        });
        if sizes.min().is_some_and(|least| least > 0) {
            Ok(())
        } else {
            Err("nothing came".to_owned())
        }
    })?;
    Ok(running)
}

/// A change that is noticed by itself, one that SIGHUP tells of, and one that has an error.
fn reload(lab: &Lab, gateway: &Running, folder: &Path) -> Result<(), String> {
    let file = folder.join("egress.yaml");
    let told = |error: std::io::Error| format!("{}: {error}", file.display());
    let before = fs::read_to_string(&file).map_err(told)?;
    let changed = before.replace("maxDNS46TTL: 60", "maxDNS46TTL: 120");
    if changed == before {
        return Err(format!("{SET}/egress.yaml has no maxDNS46TTL: 60"));
    }
    let logged = |what: &str, times: usize| {
        lab.until(&format!("the log does not tell: {what}"), |lab| {
            let log = lab.log("gateway.log");
            if log.matches(what).count() >= times {
                Ok(())
            } else {
                Err(log)
            }
        })
    };
    fs::write(&file, &changed).map_err(told)?;
    logged("was updated", 1)?;
    fs::write(&file, "kind: F5SPKEgress\nspec: [\n").map_err(told)?;
    logged("not reloaded", 1)?;
    fs::write(&file, &before).map_err(told)?;
    logged("was updated", 2)?;
    gateway.signal("HUP")?;
    logged("reloaded: nothing changes", 1)
}

/// What `trace`, `events`, `import` and `export` print.
fn asked(tree: &Tree, lab: &Lab, mapped: &str) -> Result<(), String> {
    let gateway = |line: &str| text(asks(tree, lab, line));
    let file = lab.folder.join("entries.csv");
    let entries = "address,host\n10.46.0.1,2001:db8:46::1\n10.46.0.2,2001:db8:46::2\n";
    fs::write(&file, entries).map_err(|error| error.to_string())?;
    for (line, wanted) in [
        (
            format!("trace 10.244.1.10 {mapped}:80"),
            "forwarded to 2001:db8:46::80",
        ),
        (
            "trace 10.244.1.10 198.51.100.53:53 -p udp".to_owned(),
            "answered by the DNS cache",
        ),
        ("show events".to_owned(), "F5SPKEgress"),
        (
            format!("mappings import {}", file.display()),
            "2 set, 0 refused",
        ),
        ("mappings export".to_owned(), entries),
        ("mappings delete 10.46.0.1".to_owned(), "does not stand"),
        ("mappings delete 10.46.0.2".to_owned(), "does not stand"),
    ] {
        let told = gateway(&line)?;
        if !told.contains(wanted) {
            return Err(format!("{line}: {told}"));
        }
    }
    let mut spoofed = asks(tree, lab, "trace 192.0.2.1 203.0.113.80:80");
    let output = spoofed.output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.code() != Some(1) || !told.contains("spoofed-source") {
        return Err(format!(
            "trace of a spoofed source: {}, {told}",
            output.status
        ));
    }
    println!("trace, events, import, export");
    Ok(())
}

/// The sorry IP, and an address that stands for nothing, over HTTP.
fn sorry_page(lab: &Lab, mapped: &str) -> Result<(), String> {
    let free = if mapped == "10.46.0.8" {
        "10.46.0.7"
    } else {
        "10.46.0.8"
    };
    for address in ["192.168.1.1", free] {
        let told = lab.text(
            POD4,
            &format!("curl -sS -i --max-time 5 http://{address}/any"),
        )?;
        if !told.starts_with("HTTP/1.1 503") || !told.ends_with(SORRY) {
            return Err(format!("{address} answers {told}"));
        }
    }
    println!("the sorry page");
    Ok(())
}

/// `capture`, `replay`, `resolve` and `doctor`.
fn looked(tree: &Tree, lab: &Lab, mapped: &str) -> Result<(), String> {
    let state = lab.folder.join("state");
    let gateway = |space: &str, line: &str| {
        let mut command = lab.command(space, &program(tree).to_string_lossy());
        command.args(line.split_whitespace());
        if !line.starts_with("replay") {
            command.arg("--state").arg(&state);
        }
        command
    };
    let file = lab.folder.join("capture.pcapng");
    let line = format!("capture 10.244.1.10 -s 3 -w {}", file.display());
    let capture = lab.launch(gateway(GATEWAY, &line), "capture.log")?;
    lab.until("the capture does not start", |lab| {
        if lab.log("capture.log").contains("capturing") {
            Ok(())
        } else {
            Err("nothing".to_owned())
        }
    })?;
    lab.text(POD4, &format!("ping -c 2 -i 0.2 -W 2 {mapped}"))?;
    capture.ended()?;
    let mut tshark = Command::new("tshark");
    tshark.args(["-r"]).arg(&file).args(["-T", "fields"]);
    tshark.args([
        "-e",
        "frame.interface_name",
        "-e",
        "ipv6.dst",
        "-e",
        "frame.comment",
    ]);
    let seen = text(tshark)?;
    let wanted = format!("outside\t2001:db8:46::80\t10.244.1.10 > {mapped} becomes");
    if !seen.contains(&wanted) {
        return Err(format!("the capture holds\n{seen}"));
    }
    let again = lab.folder.join("replay.pcapng");
    let config = lab.folder.join("renew");
    let line = format!(
        "replay --config {} {} {} --explain --mapping {mapped}=2001:db8:46::80",
        config.display(),
        file.display(),
        again.display()
    );
    let told = text(gateway(GATEWAY, &line))?;
    if !told.contains(&format!("10.244.1.10 > {mapped}: forwarded as")) {
        return Err(format!("replay: {told}"));
    }
    let told = text(gateway(GATEWAY, "resolve six.example"))?;
    if !told.contains(mapped) {
        return Err(format!("resolve: {told}"));
    }
    let line = format!("doctor --config {} --name six.example", config.display());
    let output = gateway(GATEWAY, &line)
        .output()
        .map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    for wanted in [
        "internal is on br-in",
        "answers this host",
        "six.example has 1 answers",
    ] {
        if !told.contains(wanted) {
            return Err(format!("doctor: {told}"));
        }
    }
    println!("capture, replay, resolve, doctor");
    Ok(())
}
