//! What comes of two plain replies.

use core::net::IpAddr;
use core::time::Duration;

use hickory_proto::op::ResponseCode;

use super::Dns46;
use super::asking::asker;
use crate::message::Response;
use crate::policy;
use crate::synthesis::{self, Outcome};

impl Dns46 {
    pub(super) fn synthesize(
        &mut self,
        now: Duration,
        client: IpAddr,
        first: &Response,
        second: &Response,
    ) -> Outcome {
        let asked = u16::from(first.record_type);
        let answered = u16::from(second.record_type);
        if first.question != second.question {
            return Outcome::Malformed;
        }
        // RFC 6147 §5.5: whoever validates by itself gets what was signed.
        if first.message.metadata.checking_disabled {
            return Outcome::Pass;
        }
        let state = synthesis::state(&self.exclusion, first);
        let plain = || match state {
            synthesis::State::Mixed | synthesis::State::Empty(true) => {
                synthesis::scrub(&self.exclusion, first)
            }
            synthesis::State::Clean | synthesis::State::Empty(false) => Outcome::Pass,
        };
        if !matches!(state, synthesis::State::Empty(_)) {
            return plain();
        }
        match second.message.metadata.response_code {
            ResponseCode::NoError if second.message.metadata.truncation => {
                return Outcome::SecondFailed;
            }
            ResponseCode::NoError => {}
            // A name that has one type exists; who says otherwise denies more than the first reply
            // does (dns.md 48).
            ResponseCode::NXDomain => return plain(),
            _ => return Outcome::SecondFailed,
        }
        let settings = &self.settings;
        let quota = self.askers.left(client, settings.tentative_per_client);
        let outcome = match (asked, answered, &mut self.table) {
            (policy::A, policy::AAAA, Some(table)) => {
                let asker = asker(client, first);
                self.askers.now = Some(asker);
                synthesis::dns46(now, table, quota, settings, &self.exclusion, first, second)
            }
            (policy::AAAA, policy::A, _) if !settings.nat64.is_empty() => {
                synthesis::dns64(settings, &self.exclusion, first, second)
            }
            _ => Outcome::Malformed,
        };
        match outcome {
            Outcome::Pass => plain(),
            other => other,
        }
    }
}
