//! The data thread: packets between two devices and the gateway.

use core::time::Duration;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use egress_config::Plan;
use egress_gateway::{BUFFER, Gateway, Side, Verdict};
use nat46::offload::{HEADER_LEN, Offload};
use nat46::{HEADROOM, PacketBuf};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::admin::answer::answer;
use crate::admin::server::Admin;
use crate::host::journal::Journal;
use crate::host::tun::Tun;

use super::log;

/// Packets read of one device before the other has its turn.
const BATCH: usize = 64;

/// In front of the gateway's buffer: a device's header precedes the packet, wherever it starts.
const FRONT: usize = 16;

/// The only clock.
pub(super) struct Clock(Instant);

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the data thread owns the only clock"
    )]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

pub(super) struct Devices {
    pub(super) inside: Tun,
    pub(super) outside: Tun,
}

impl Devices {
    fn of(&self, side: Side) -> &Tun {
        match side {
            Side::Inside => &self.inside,
            Side::Outside => &self.outside,
        }
    }
}

/// Runs until SIGTERM or SIGINT.
pub(super) fn serve(
    gateway: Gateway,
    devices: &Devices,
    journal: &Journal,
    admin: &Admin,
    clock: &Clock,
    plan: &Plan,
) -> io::Result<()> {
    let (stop, sender) = UnixStream::pair()?;
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
    }
    let mut data = Data {
        gateway,
        devices,
        journal,
        clock,
        plan,
        bytes: vec![0; FRONT + BUFFER],
    };
    loop {
        let timeout = data.gateway.poll_timeout().map(|at| {
            let wait = at.saturating_sub(clock.now());
            Timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: wait.subsec_nanos().into(),
            }
        });
        let mut waited = [
            PollFd::from_borrowed_fd(devices.inside.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(devices.outside.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(journal.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(admin.as_fd(), PollFlags::IN),
        ];
        match rustix::event::poll(&mut waited, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [inside, outside, replies, stopped, asked] =
            waited.map(|one| !one.revents().is_empty());
        if stopped {
            return Ok(());
        }
        if replies {
            journal.hush();
        }
        if inside {
            data.read(Side::Inside)?;
        }
        if outside {
            data.read(Side::Outside)?;
        }
        if asked {
            let now = clock.now();
            admin.serve(|request| answer(now, &mut data.gateway, plan, request));
        }
        data.turn();
    }
}

struct Data<'a> {
    gateway: Gateway,
    devices: &'a Devices,
    journal: &'a Journal,
    clock: &'a Clock,
    plan: &'a Plan,
    bytes: Vec<u8>,
}

impl Data<'_> {
    /// Takes in what has come to a device.
    fn read(&mut self, side: Side) -> io::Result<()> {
        let start = FRONT + HEADROOM;
        for _ in 0..BATCH {
            let into = &mut self.bytes[start - HEADER_LEN..];
            let Some(length) = self.devices.of(side).read(into)? else {
                return Ok(());
            };
            let Some((header, _)) = into[..length].split_first_chunk() else {
                continue;
            };
            let Some(offload) = Offload::decode(header, cfg!(target_endian = "little")) else {
                continue;
            };
            let place = HEADROOM..HEADROOM + length - HEADER_LEN;
            let Some(buf) = PacketBuf::new(&mut self.bytes[FRONT..], place) else {
                continue;
            };
            let mut buf = buf.with_offload(offload);
            let now = self.clock.now();
            let leaves_on = match self.gateway.handle_packet(now, side, &mut buf) {
                Verdict::Forward => side.opposite(),
                Verdict::Reply => side,
                Verdict::Consumed | Verdict::Drop(_) => continue,
            };
            let (range, offload) = (buf.range(), buf.offload());
            self.write(leaves_on, range, offload);
        }
        Ok(())
    }

    /// Sends the packet at `range` of the gateway's part of the buffer.
    fn write(&mut self, side: Side, range: core::ops::Range<usize>, offload: Offload) {
        let (start, end) = (FRONT + range.start, FRONT + range.end);
        let is_ipv6 = self.bytes.get(start).is_some_and(|first| first >> 4 == 6);
        let header = offload.encode(is_ipv6, cfg!(target_endian = "little"));
        self.bytes[start - HEADER_LEN..start].copy_from_slice(&header);
        self.devices
            .of(side)
            .write(&self.bytes[start - HEADER_LEN..end]);
    }

    /// The rest of the drive loop: the journal, what leaves by itself, events, deadlines.
    fn turn(&mut self) {
        while let Some((id, reply)) = self.journal.poll() {
            self.gateway.handle_store(self.clock.now(), id, reply);
        }
        let now = self.clock.now();
        if self.gateway.poll_timeout().is_some_and(|at| at <= now) {
            self.gateway.handle_timeout(now);
        }
        while let Some(transmit) = self
            .gateway
            .poll_transmit(self.clock.now(), &mut self.bytes[FRONT..])
        {
            self.write(transmit.side, transmit.range, transmit.offload);
        }
        while let Some(operation) = self.gateway.poll_store() {
            self.journal.submit(operation);
        }
        while let Some(event) = self.gateway.poll_event() {
            log::tell(&event, self.plan.debug_log);
        }
    }
}
