//! The latest events, for whoever asks: `show events`, the status page.

use alloc::collections::VecDeque;

use egress_gateway::Event;
use jiff::Timestamp;

use crate::admin::{EventRow, NewMapping};

use super::log::{self, Floods};

/// Events that are kept, and those of the resources beside them.
const KEPT: usize = 1024;
const KEPT_OF_RESOURCES: usize = 128;
/// New mappings that are kept.
const MAPPINGS: usize = 16;

/// Reasons that are about the resources.
const RESOURCE_REASONS: [&str; 3] = ["Added", "Updated", "ReloadFailed"];

/// What happened last.
#[derive(Debug, Default)]
pub(crate) struct Events {
    rows: VecDeque<EventRow>,
    /// Those of the resources: no flood pushes them out.
    resources: VecDeque<EventRow>,
    next: u64,
    floods: Floods,
    mapped: VecDeque<NewMapping>,
}

impl Events {
    /// In the words of the original's controller.
    pub(super) fn of_resource(&mut self, egress: &str, reason: &'static str, did: &str) {
        let message = format!("F5SPKEgress {egress} was {did}");
        tracing::info!("Normal  {reason}  spk-controller  {message}");
        self.push("Normal", reason, message);
    }

    pub(super) fn push(&mut self, kind: &'static str, reason: &'static str, message: String) {
        let is_of_resource = RESOURCE_REASONS.contains(&reason);
        let (rows, most) = if is_of_resource {
            (&mut self.resources, KEPT_OF_RESOURCES)
        } else {
            (&mut self.rows, KEPT)
        };
        if rows.len() == most {
            rows.pop_front();
        }
        self.next += 1;
        rows.push_back(EventRow {
            sequence: self.next,
            at: now(),
            kind,
            reason,
            message,
        });
    }

    /// Takes note of what the gateway tells; flows are in its log alone.
    pub(super) fn note(&mut self, event: &Event) {
        self.note_at(log::second(), event);
    }

    fn note_at(&mut self, second: i64, event: &Event) {
        for (reason, more) in self.floods.left_out(second) {
            self.push("Warning", reason, format!("and {more} more"));
        }
        if let Some(reason) = log::flooding(event)
            && !self.floods.admits(reason, second)
        {
            return;
        }
        match event {
            Event::Mapped {
                address,
                host,
                asker,
            } => {
                if self.mapped.len() == MAPPINGS {
                    self.mapped.pop_front();
                }
                self.mapped.push_back(NewMapping {
                    at: now(),
                    address: *address,
                    host: *host,
                    name: asker.as_ref().map(|asker| asker.name.clone()),
                });
            }
            Event::UpstreamFailed { question } => {
                let message = format!("no name server answered for {}", question.name);
                self.push("Warning", "UpstreamFailed", message);
            }
            Event::NoSelfIp { server } => {
                let message = format!("no self IP of the family of name server {server}");
                self.push("Warning", "NoSelfIp", message);
            }
            Event::StoreFailed => {
                let message = "a mapping could not be kept; its answer was SERVFAIL".to_owned();
                self.push("Warning", "StoreFailed", message);
            }
            Event::NotMapped { asker, why, .. } => {
                let message = format!("{why}: {} asked for {}", asker.client, asker.name);
                self.push("Warning", "NotMapped", message);
            }
            Event::NoSnatAddress { client, peer } => {
                let message = format!("no SNAT address for {client} to {peer}");
                self.push("Warning", "NoSnatAddress", message);
            }
            Event::Exhausted(exhausted) => {
                self.push("Warning", "PortsExhausted", exhausted.to_string());
            }
            _ => {}
        }
    }

    /// Those after `sequence`, the oldest first.
    pub(crate) fn after(&self, sequence: u64) -> Vec<EventRow> {
        let rows = self.rows.iter().chain(&self.resources);
        let rows = rows.filter(|row| row.sequence > sequence);
        let mut rows: Vec<EventRow> = rows.cloned().collect();
        rows.sort_unstable_by_key(|row| row.sequence);
        rows
    }

    /// The newest last.
    pub(crate) fn newest_mappings(&self) -> Vec<NewMapping> {
        self.mapped.iter().cloned().collect()
    }
}

/// In UTC, to the second.
fn now() -> String {
    format!("{:.0}", Timestamp::now())
}

#[cfg(test)]
mod tests {
    use egress_gateway::Event;

    use super::{Events, KEPT};

    #[test]
    fn a_flood_pushes_out_nothing_about_the_resources() {
        let mut events = Events::default();
        events.of_resource("egress", "Added", "added");
        for second in 0..500 {
            for _ in 0..1000 {
                events.note_at(second, &Event::StoreFailed);
            }
        }
        events.of_resource("egress", "Updated", "updated");
        let rows = events.after(0);
        assert_eq!(rows.len(), KEPT + 2);
        assert_eq!(rows[0].reason, "Added");
        assert_eq!(rows.last().unwrap().reason, "Updated");
        assert!(rows.is_sorted_by_key(|row| row.sequence));
        assert!(rows.iter().any(|row| row.message == "and 990 more"));
    }
}
