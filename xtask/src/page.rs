//! The status page in a headless browser, wide and narrow, light and dark.

use std::fs;

use crate::lab::{GATEWAY, Lab};
use crate::process::text;
use crate::tree::Tree;

/// Where the status page is served, in the gateway's namespace.
pub(crate) const ADDRESS: &str = "127.0.0.1:8046";

/// What shows that the page has filled itself, whatever its size.
const SHOWN: &[&str] = &[
    "NAT46",
    "2001:db8:46::1",
    "was added",
    "egress-ipv4-nat46",
    "class=\"live\"",
    "id=\"flowing\"",
    "this replica",
];

/// A screen, and what it prefers.
struct Screen {
    name: &'static str,
    size: &'static str,
    /// As the browser's setting has it: 0 is dark.
    prefers: u8,
}

const SCREENS: [Screen; 4] = [
    Screen {
        name: "status-page",
        size: "1280,1500",
        prefers: 1,
    },
    Screen {
        name: "status-page-dark",
        size: "1280,1500",
        prefers: 0,
    },
    Screen {
        name: "status-page-phone",
        size: "390,2600",
        prefers: 1,
    },
    Screen {
        name: "status-page-phone-dark",
        size: "390,2600",
        prefers: 0,
    },
];

/// Looks at the page on every screen; a screenshot of each is kept.
pub(crate) fn check(tree: &Tree, lab: &Lab, token: &str) -> Result<(), String> {
    let token = fs::read_to_string(token).map_err(|error| format!("{token}: {error}"))?;
    let refused = lab.text(GATEWAY, &format!("curl -sS -i http://{ADDRESS}/status"))?;
    if !refused.starts_with("HTTP/1.1 401") {
        return Err(format!("without token the page answers {refused}"));
    }
    let profile = lab.folder.join("browser");
    for screen in SCREENS {
        let shot = tree.target.join(format!("{}.png", screen.name));
        let mut browser = lab.command(GATEWAY, "chromium");
        browser
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
            ])
            .args(["--disable-background-networking", "--no-first-run"])
            .args(["--virtual-time-budget=4000", "--dump-dom"])
            .arg(format!("--window-size={}", screen.size))
            .arg(format!(
                "--blink-settings=preferredColorScheme={}",
                screen.prefers
            ))
            .arg(format!("--screenshot={}", shot.display()))
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("http://{ADDRESS}/?token={}", token.trim()));
        let seen = text(browser)?;
        let missing = SHOWN.iter().find(|wanted| !seen.contains(**wanted));
        if let Some(wanted) = missing {
            return Err(format!(
                "{}: the status page does not show {wanted}:\n{seen}",
                screen.name
            ));
        }
        slices(&seen).map_err(|why| format!("{}: {why}:\n{seen}", screen.name))?;
        println!("status page: {}", shot.display());
    }
    Ok(())
}

/// Each of the two slices is named, in a tone of its own, and has a square for each of its addresses.
fn slices(seen: &str) -> Result<(), String> {
    let cards: Vec<&str> = seen.split("<article class=\"slice").skip(1).collect();
    let named = |name: &str| {
        let card = cards.iter().find(|card| card.contains(name));
        card.ok_or_else(|| format!("no card says {name}"))
    };
    let tone = |card: &str| {
        let behind = card.split_once("--tone: ").map(|(_, behind)| behind);
        behind.and_then(|behind| Some(behind.split_once(';')?.0.to_owned()))
    };
    let mut tones = Vec::new();
    for (name, squares) in [("Reserved", 4), ("Replica 0", 6), ("Replica 1", 6)] {
        let card = named(name)?;
        let found = card.matches("<div><i").count();
        if found != squares {
            return Err(format!("{name} has {found} squares"));
        }
        tones.push(tone(card).ok_or_else(|| format!("{name} has no tone"))?);
    }
    tones.sort();
    tones.dedup();
    if tones.len() == 3 {
        Ok(())
    } else {
        Err(format!("the tones are {tones:?}"))
    }
}
