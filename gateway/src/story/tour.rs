//! The other acts: each way through the gateway as a trip of a pod, under one of the samples.

mod grounds;
mod tell;
mod trips;

use core::net::{Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use egress_config::Plan;

use super::report::Moment;
use crate::SetupError;
use crate::sim::{Capture, Stalled};

use grounds::Grounds;

/// Between the starts of two trips.
const PACE: Duration = Duration::from_secs(30);
/// A trip as it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Travelled {
    /// What it shows.
    pub title: String,
    /// What happened.
    pub moments: Vec<Moment>,
    /// Why it failed.
    pub outcome: Result<(), String>,
}

/// All trips of an act.
#[derive(Debug, Clone)]
pub struct Tour {
    /// In their order.
    pub trips: Vec<Travelled>,
    /// Packets at the gateway's two interfaces.
    pub capture: Capture,
    /// Which address stands for which host, as the gateway said.
    pub mapped: Vec<(Ipv4Addr, Ipv6Addr)>,
    /// Virtual time at the end.
    pub ended_at: Duration,
}

impl Tour {
    /// Plays all that `plan` has ways for.
    ///
    /// # Errors
    ///
    /// If a part of the gateway refuses the plan.
    pub fn play(plan: &Plan, seed: u64) -> Result<Result<Self, Stalled>, SetupError> {
        let mut grounds = Grounds::new(plan, seed)?;
        let fixed = grounds.set_static(plan);
        let trips = trips::trips(plan, grounds.addresses, fixed, grounds.page);
        let mut errands = [Vec::new(), Vec::new()];
        for (number, trip) in (0_u32..).zip(&trips) {
            let errand = trip.errand.clone().at(PACE * number).once();
            errands[trip.pod].push(errand);
        }
        let pods = grounds.add_pods(errands);
        let strangers_at = PACE * u32::try_from(trips.len()).unwrap_or(u32::MAX);
        let stranger = grounds.add_stranger(plan, strangers_at);
        let played = grounds.net.run_to(strangers_at + PACE);
        if let Err(stalled) = played {
            return Ok(Err(stalled));
        }
        let mut numbers = [0; 2];
        let mut told: Vec<Travelled> = Vec::new();
        for (place, trip) in (0_u32..).zip(trips) {
            let number = numbers[trip.pod];
            numbers[trip.pod] += 1;
            told.push(grounds.tell(trip, pods, number, PACE * place));
        }
        told.push(grounds.tell_stranger(stranger, strangers_at));
        let events = grounds.net[grounds.gateway].events().iter();
        let mapped = events.filter_map(|(_, event)| match event {
            crate::Event::Mapped { address, host, .. } => Some((*address, *host)),
            _ => None,
        });
        Ok(Ok(Self {
            mapped: mapped.collect(),
            trips: told,
            capture: grounds.net.capture().clone(),
            ended_at: grounds.net.now(),
        }))
    }

    /// The first trip that failed, and why.
    #[must_use]
    pub fn failed(&self) -> Option<(&str, &str)> {
        self.trips.iter().find_map(|trip| {
            let why = trip.outcome.as_ref().err()?;
            Some((trip.title.as_str(), why.as_str()))
        })
    }
}
