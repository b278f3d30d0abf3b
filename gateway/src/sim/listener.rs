use super::{Stack, TcpId, TcpState};

/// Connections that wait to be accepted at a time.
const BACKLOG: usize = 8;

/// A TCP port that takes one connection after the other.
#[derive(Debug)]
pub(super) struct Listener {
    port: u16,
    waiting: Vec<TcpId>,
}

impl Listener {
    pub(super) fn new(port: u16) -> Self {
        Self {
            port,
            waiting: Vec::new(),
        }
    }

    /// The connections that were made since the last call.
    pub(super) fn accept(&mut self, stack: &mut Stack) -> Vec<TcpId> {
        let (opening, rest) = core::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|id| stack.tcp_state(id) == TcpState::Opening);
        self.waiting = opening;
        while self.waiting.len() < BACKLOG {
            self.waiting.push(stack.tcp_listen(self.port));
        }
        rest
    }
}
