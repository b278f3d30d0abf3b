//! The latest events, for whoever asks: `show events`, the status page.

use alloc::collections::VecDeque;

use egress_gateway::Event;
use jiff::Timestamp;

use crate::admin::{EventRow, NewMapping};

/// Events that are kept.
const KEPT: usize = 1024;
/// New mappings that are kept.
const MAPPINGS: usize = 16;

/// What happened last.
#[derive(Debug, Default)]
pub(crate) struct Events {
    rows: VecDeque<EventRow>,
    next: u64,
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
        if self.rows.len() == KEPT {
            self.rows.pop_front();
        }
        self.next += 1;
        self.rows.push_back(EventRow {
            sequence: self.next,
            at: now(),
            kind,
            reason,
            message,
        });
    }

    /// Takes note of what the gateway tells; flows are in its log alone.
    pub(super) fn note(&mut self, event: &Event) {
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
        let rows = self.rows.iter();
        rows.filter(|row| row.sequence > sequence)
            .cloned()
            .collect()
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
