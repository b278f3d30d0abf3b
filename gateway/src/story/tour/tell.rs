//! What came of the trips, read from what pods and the gateway saw.

use core::net::IpAddr;
use core::time::Duration;

use super::grounds::Grounds;
use super::trips::{Expected, Trip};
use super::{PACE, Travelled};
use crate::sim::{Entry, Event, Host, NodeId, Pod, Stranger};
use crate::story::report::{Moment, at};

impl Grounds {
    /// What came of a trip, the `number`-th of its pod, that began at `start`.
    pub(super) fn tell(
        &self,
        trip: Trip,
        pods: [NodeId<Host<Pod>>; 2],
        number: usize,
        start: Duration,
    ) -> Travelled {
        let pod = self.net[pods[trip.pod]].app();
        let log: Vec<&Entry> = pod
            .log()
            .iter()
            .filter(|entry| entry.errand == number)
            .collect();
        let outcome = pod.outcomes().get(number).copied();
        let mut moments = Vec::new();
        let result = match (&trip.expected, outcome) {
            (_, None) => Err("it did not end".to_owned()),
            (Expected::Refusal(kind, code), Some(Err(_))) => {
                refusal(&log, *kind, *code, &mut moments)
            }
            (Expected::Refusal(..), Some(Ok(()))) => Err("nobody refused it".to_owned()),
            (_, Some(Err(failure))) => Err(failure.to_string()),
            (Expected::LeavesFrom(addresses), Some(Ok(()))) => {
                self.left(&log, start, addresses, &mut moments)
            }
            (Expected::Answer(wanted), Some(Ok(()))) => answer(&log, *wanted, &mut moments),
            (Expected::Hop(wanted), Some(Ok(()))) => hops(&log, *wanted, &mut moments),
        };
        Travelled {
            title: trip.title,
            moments,
            outcome: result,
        }
    }

    /// The flow that a trip opened, and what came back.
    pub(super) fn left(
        &self,
        log: &[&Entry],
        start: Duration,
        addresses: &[IpAddr],
        moments: &mut Vec<Moment>,
    ) -> Result<(), String> {
        let time = start..start + PACE;
        let opened = self.net[self.gateway]
            .events()
            .iter()
            .find_map(|(when, event)| match event {
                crate::Event::Opened {
                    inside, outside, ..
                } if time.contains(when) => Some((*when, *inside, *outside)),
                _ => None,
            });
        let (when, inside, outside) = opened.ok_or("no session was opened")?;
        if !addresses.contains(&outside.source.address) {
            return Err(format!("{} is no SNAT address", outside.source));
        }
        moments.push(at(
            when,
            format!(
                "{} > {}  leaves as  {} > {}",
                inside.source, inside.destination, outside.source, outside.destination
            ),
        ));
        let came = log.iter().rev().find_map(|entry| {
            let text = match &entry.event {
                Event::Fetched { status, length } => {
                    format!("HTTP {status}, {length} bytes, each as it was sent")
                }
                Event::Echoed {
                    from,
                    sequence,
                    length,
                } => format!("{} echoes from {from}, {length} bytes each", sequence + 1),
                Event::Answered { addresses, .. } => {
                    let first = addresses.first();
                    first.map_or_else(|| "an answer".to_owned(), |first| format!("answer {first}"))
                }
                _ => return None,
            };
            Some(at(entry.at, text))
        });
        moments.extend(came);
        Ok(())
    }

    pub(super) fn tell_stranger(&self, stranger: NodeId<Stranger>, start: Duration) -> Travelled {
        let got = self.net[stranger].received().len();
        let drops = self.net[self.gateway].drops().iter();
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        for (_, _, reason) in drops.filter(|(when, ..)| *when >= start) {
            match reasons.iter_mut().find(|(name, _)| *name == reason.name()) {
                Some((_, count)) => *count += 1,
                None => reasons.push((reason.name(), 1)),
            }
        }
        let text: Vec<String> = reasons
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        let outcome = if got > 0 || reasons.is_empty() {
            Err(format!("the stranger got {got} packets"))
        } else {
            Ok(())
        };
        Travelled {
            title: "a stranger outside who asks, connects, and claims to be a pod gets nothing"
                .to_owned(),
            moments: vec![at(start, format!("dropped: {}", text.join(", ")))],
            outcome,
        }
    }
}

fn refusal(log: &[&Entry], kind: u8, code: u8, moments: &mut Vec<Moment>) -> Result<(), String> {
    let told = log.iter().find_map(|entry| match entry.event {
        Event::IcmpError {
            from,
            kind: one,
            code: other,
            ..
        } if (one, other) == (kind, code) => Some((entry.at, from)),
        _ => None,
    });
    let (when, from) = told.ok_or("the pod was not told why")?;
    moments.push(at(
        when,
        format!("{from} says ICMP type {kind}, code {code}"),
    ));
    Ok(())
}

fn answer(log: &[&Entry], wanted: Option<IpAddr>, moments: &mut Vec<Moment>) -> Result<(), String> {
    let told = log.iter().rev().find_map(|entry| match &entry.event {
        Event::Answered {
            addresses, message, ..
        } => Some((entry.at, addresses.first().copied(), message.len())),
        _ => None,
    });
    let (when, address, length) = told.ok_or("no answer")?;
    if wanted.is_some() && wanted != address {
        return Err(format!("{address:?} was told"));
    }
    let over_tcp = log
        .iter()
        .any(|entry| matches!(entry.event, Event::Asked { over_tcp: true, .. }));
    let how = if over_tcp { " over TCP" } else { "" };
    let what = address.map_or_else(String::new, |address| format!(": {address}"));
    moments.push(at(when, format!("an answer of {length} octets{how}{what}")));
    Ok(())
}

fn hops(log: &[&Entry], wanted: IpAddr, moments: &mut Vec<Moment>) -> Result<(), String> {
    let mut seen = false;
    for entry in log {
        if let Event::Hop {
            hop_limit,
            from: Some(from),
        } = entry.event
        {
            seen |= from == wanted;
            moments.push(at(entry.at, format!("hop {hop_limit} is {from}")));
        }
    }
    if seen {
        Ok(())
    } else {
        Err(format!("{wanted} is no hop"))
    }
}
