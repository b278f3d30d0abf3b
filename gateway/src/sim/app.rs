use core::time::Duration;

use super::{Parsed, Stack};

/// A program on a [`Host`](super::Host).
pub trait App: 'static {
    /// Something may have happened: does all that can be done now.
    fn poll(&mut self, now: Duration, stack: &mut Stack);

    /// When [`poll`](App::poll) wants to be called even if nothing happens.
    fn poll_timeout(&self) -> Option<Duration> {
        None
    }

    /// An ICMP or ICMPv6 message for this host, echo requests aside: the host answers those.
    fn handle_icmp(&mut self, now: Duration, message: &Parsed) {
        let _ = (now, message);
    }

    /// What the program waits for.
    fn waits_for(&self) -> String {
        String::from("requests")
    }
}

/// Two programs on one host.
impl<A: App, B: App> App for (A, B) {
    fn poll(&mut self, now: Duration, stack: &mut Stack) {
        self.0.poll(now, stack);
        self.1.poll(now, stack);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        [self.0.poll_timeout(), self.1.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle_icmp(&mut self, now: Duration, message: &Parsed) {
        self.0.handle_icmp(now, message);
        self.1.handle_icmp(now, message);
    }

    fn waits_for(&self) -> String {
        format!("{} and {}", self.0.waits_for(), self.1.waits_for())
    }
}

/// Any number of programs on one host.
impl<A: App> App for Vec<A> {
    fn poll(&mut self, now: Duration, stack: &mut Stack) {
        self.iter_mut().for_each(|app| app.poll(now, stack));
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.iter().filter_map(A::poll_timeout).min()
    }

    fn handle_icmp(&mut self, now: Duration, message: &Parsed) {
        self.iter_mut()
            .for_each(|app| app.handle_icmp(now, message));
    }

    fn waits_for(&self) -> String {
        let all: Vec<String> = self.iter().map(A::waits_for).collect();
        all.join(" and ")
    }
}
