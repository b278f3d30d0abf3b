//! Replicas' numbers: seen, kept, lost, taken over.

use core::ops::Range;
use core::time::Duration;

use super::ring::{COUNT, Ring};
use super::{Said, answers, asking, consistent, one, ready};
use crate::lab::rest;
use crate::process::text;

/// A gateway is killed while it is asked for `names`; another process takes its number, and its mappings.
pub(super) fn taken_over(
    ring: &mut Ring,
    said: &mut Said,
    names: Range<usize>,
) -> Result<(), String> {
    let rows = ring.until("the replicas do not see each other", 10, |ring| {
        let rows = ring.ask(0, "show replicas -o csv")?;
        if rows.matches(",alive,").count() == COUNT - 1 && rows.contains("\n0,self,") {
            Ok(rows)
        } else {
            Err(rows)
        }
    })?;
    println!("{}", rows.trim_end());
    let last = COUNT - 1;
    // One that says the same number waits for its turn, and ends.
    let second = ring.gateway(last, &last.to_string(), "state-second");
    let mut second = ring.launch(second, "gateway-second.log")?;
    // One that takes what it gets waits too.
    let spare = ring.gateway(last, "auto", "state-spare");
    let mut spare = ring.launch(spare, "spare.log")?;
    ring.until("two processes have one number", 40, |ring| {
        if second.has_ended() {
            return Ok(());
        }
        Err(ring.log("gateway-second.log"))
    })?;
    if spare.has_ended() || !ring.log("spare.log").contains("living holders") {
        return Err(format!("the spare says {}", ring.log("spare.log")));
    }
    // For five seconds; the kill comes among them.
    let count = names.len();
    let asker = asking(ring, last, names.start, count, count.div_ceil(5))?;
    rest(Duration::from_secs(2));
    let killed = ring.gateways[last].take().ok_or("it does not run")?;
    killed.signal("KILL")?;
    drop(killed);
    // Its mappings go on through the others meanwhile.
    let address = said.get(&(last + 1)).cloned().unwrap_or_default();
    let mut echo = ring.command("p0", "python3");
    echo.arg(ring.folder.join("echo.py"))
        .args([&address, "0.3"]);
    text(echo).map_err(|why| format!("after kill -9 of its maker: {why}"))?;
    ring.until("the number is not taken over", 30, |ring| {
        ring.ask_state(last, "show stats -o json", "state-spare")
            .map(drop)
    })?;
    let again = one(ring, said, last, last + 1)?;
    if again != address {
        return Err(format!("n{} was {address} and is {again}", last + 1));
    }
    asker
        .ended()
        .map_err(|why| format!("names of a killed gateway: {why}"))?;
    answers(ring, said, last, names.start)?;
    // Those that were told before the kill too: its successor says the same of all.
    asking(ring, last, names.start, count, 2000)?.ended()?;
    answers(ring, said, last, names.start)?;
    println!("killed while it was asked for {count} names: what it had told stands");
    let fresh = one(ring, said, last, last + 10)?;
    println!("replica {last} was taken over: {address} stands, and {fresh} is new");
    cut_off(ring, said, last)?;
    spare.signal("TERM")?;
    spare.ended()?;
    ring.start_gateway(last)?;
    // The former holder of the number comes back: it takes what its successor left.
    ready(ring, last, "up", 40)?;
    let again = one(ring, said, last, last + 10)?;
    if again != fresh {
        return Err(format!("n{} was {fresh} and is {again}", last + 10));
    }
    consistent(ring, said)
}

/// A replica that cannot keep its number hands out nothing new, so that whoever takes the number may; what it
/// knows goes on.
fn cut_off(ring: &Ring, said: &mut Said, last: usize) -> Result<(), String> {
    ring.text(&format!("g{last}"), "ip link set eth2 down")?;
    // Longer than the lease.
    rest(Duration::from_secs(16));
    let known = one(ring, said, last, last + 1)?;
    let mut asker = asking(ring, last, last + 20, 1, 1000)?;
    rest(Duration::from_secs(3));
    if asker.has_ended() {
        return Err("a replica without a number made a mapping".to_owned());
    }
    let mut echo = ring.command(&format!("p{last}"), "python3");
    echo.arg(ring.folder.join("echo.py")).args([&known, "0.3"]);
    text(echo).map_err(|why| format!("a replica that is cut off: {why}"))?;
    ring.text(&format!("g{last}"), "ip link set eth2 up")?;
    asker
        .ended()
        .map_err(|why| format!("after a replica was cut off: {why}"))?;
    answers(ring, said, last, last + 20)?;
    println!("a replica that was cut off from the store made nothing new once its lease was over");
    Ok(())
}
