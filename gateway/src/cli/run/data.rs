//! The data thread: packets between two devices and the gateway.

use alloc::collections::{BTreeSet, VecDeque};
use core::time::Duration;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use dns46::OperationId;
use egress_config::Plan;
use egress_gateway::{BUFFER, Gateway, Side, Verdict};
use nat46::offload::{HEADER_LEN, Offload};
use nat46::{HEADROOM, PacketBuf};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::admin::Answer;
use crate::admin::answer::answer;
use crate::admin::server::{Admin, Reply};
use crate::host::network::Network;
use crate::host::redis::Scope;
use crate::host::stores::Stores;
use crate::host::tun::Tun;

use super::ask::Questions;
use super::capture::Captures;
use super::events::Events;
use super::reload::{self, Due, Reloaded, Watch};
use super::{Resources, log, notify, sharing};

/// Packets read of one device before the other has its turn.
const BATCH: usize = 64;

/// How long a stop waits for the journal.
const STOPS: Duration = Duration::from_secs(10);

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

/// What the data thread works with.
pub(super) struct Host {
    pub(super) devices: Devices,
    pub(super) network: Network,
    pub(super) stores: Stores,
    pub(super) admin: Admin,
    pub(super) clock: Clock,
    pub(super) signals: Signals,
}

/// What signals ask for, from before the host is changed on.
pub(super) struct Signals {
    stop: UnixStream,
    hup: UnixStream,
}

impl Signals {
    pub(super) fn take() -> io::Result<Self> {
        Ok(Self {
            stop: on(&[signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT])?,
            hup: on(&[signal_hook::consts::SIGHUP])?,
        })
    }
}

/// Readable once a signal came.
fn on(signals: &[i32]) -> io::Result<UnixStream> {
    let (came, sender) = UnixStream::pair()?;
    came.set_nonblocking(true)?;
    for signal in signals {
        signal_hook::low_level::pipe::register(*signal, sender.try_clone()?)?;
    }
    Ok(came)
}

/// Runs until SIGTERM or SIGINT; gives the gateway that did so last.
pub(super) fn serve(
    gateway: Gateway,
    host: &mut Host,
    resources: &Resources<'_>,
    plan: Plan,
    events: Events,
) -> io::Result<Gateway> {
    let Signals { stop, hup } = &host.signals;
    let mut watch = Watch::of(resources.paths());
    let watchdog = notify::watchdog();
    let mut data = Data {
        gateway,
        plan,
        events,
        devices: &host.devices,
        stores: &mut host.stores,
        clock: &host.clock,
        captures: Captures::default(),
        questions: Questions::default(),
        log_sessions: resources.log_sessions(),
        held: VecDeque::new(),
        bytes: vec![0; FRONT + BUFFER],
    };
    let mut reload = Due::default();
    let mut alive_at = Duration::ZERO;
    notify::tell("READY=1");
    loop {
        let now = host.clock.now();
        if let Some(every) = watchdog
            && now >= alive_at
        {
            notify::tell("WATCHDOG=1");
            alive_at = now.saturating_add(every);
        }
        let alive_at = watchdog.map(|_| alive_at);
        let stored_at = data.stores.poll_timeout();
        let due = [
            data.gateway.poll_timeout(),
            reload.at(),
            alive_at,
            stored_at,
        ];
        let timeout = due.into_iter().flatten().min().map(|at| {
            let wait = at.saturating_sub(now);
            Timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: wait.subsec_nanos().into(),
            }
        });
        let mut waited = vec![
            PollFd::from_borrowed_fd(host.devices.inside.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(host.devices.outside.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(data.stores.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(host.admin.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(hup.as_fd(), PollFlags::IN),
        ];
        waited.extend(
            watch
                .fd()
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
        );
        match rustix::event::poll(&mut waited, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |index: usize| {
            waited
                .get(index)
                .is_some_and(|one| !one.revents().is_empty())
        };
        let [inside, outside, replies, stopped, asked, told, changed] = core::array::from_fn(ready);
        if stopped {
            // What was told to be kept is kept.
            data.settle(STOPS);
            return Ok(data.gateway);
        }
        if replies {
            data.stores.hush();
        }
        if inside {
            data.read(Side::Inside)?;
        }
        if outside {
            data.read(Side::Outside)?;
        }
        if asked {
            let now = host.clock.now();
            let Data {
                gateway,
                plan,
                events,
                captures,
                questions,
                stores,
                ..
            } = &mut data;
            let mut written = Vec::new();
            host.admin.serve(|request, reply| {
                let answer = answer(now, gateway, plan, events, captures, questions, request);
                let answer = answer.with_store(now, stores);
                if request.writes() {
                    written.push((reply, answer));
                } else {
                    reply.send(answer);
                }
            });
            data.ask();
            data.hold(written);
        }
        if told {
            let _ = io::Read::read(&mut &*hup, &mut [0; 64]);
            reload.at_once(host.clock.now());
        }
        if changed && watch.hush() {
            reload.changed(host.clock.now());
        }
        data.turn()?;
        if reload.take(host.clock.now()) {
            // Before they are read: what changes while they are is noticed.
            watch.renew();
            notify::tell("RELOADING=1");
            data.reload(resources, &mut host.network);
            notify::tell("READY=1");
        }
    }
}

struct Data<'a> {
    gateway: Gateway,
    plan: Plan,
    events: Events,
    devices: &'a Devices,
    stores: &'a mut Stores,
    clock: &'a Clock,
    captures: Captures,
    questions: Questions,
    log_sessions: bool,
    /// Answers that wait until the stores have replied to these operations.
    held: VecDeque<(BTreeSet<OperationId>, Reply, Answer)>,
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
            self.captures.came(side, buf.as_bytes());
            let now = self.clock.now();
            let leaves_on = match self.gateway.handle_packet(now, side, &mut buf) {
                Verdict::Forward => side.opposite(),
                Verdict::Reply => side,
                Verdict::Consumed => {
                    self.captures.taken_in();
                    continue;
                }
                Verdict::Drop(reason) => {
                    self.captures.dropped(reason.name());
                    continue;
                }
            };
            let (range, offload) = (buf.range(), buf.offload());
            self.write(leaves_on, range, offload);
        }
        Ok(())
    }

    /// Handles questions of `resolve` as what they look like: packets of pods.
    fn ask(&mut self) {
        while let Some(packet) = self.questions.poll() {
            let place = HEADROOM..HEADROOM + packet.len();
            let Some(room) = self.bytes[FRONT..].get_mut(place.clone()) else {
                continue;
            };
            room.copy_from_slice(&packet);
            let Some(mut buf) = PacketBuf::new(&mut self.bytes[FRONT..], place) else {
                continue;
            };
            let now = self.clock.now();
            if self.gateway.handle_packet(now, Side::Inside, &mut buf) == Verdict::Reply {
                let (range, offload) = (buf.range(), buf.offload());
                self.write(Side::Inside, range, offload);
            }
        }
    }

    /// Sends the packet at `range` of the gateway's part of the buffer.
    fn write(&mut self, side: Side, range: core::ops::Range<usize>, offload: Offload) {
        let (start, end) = (FRONT + range.start, FRONT + range.end);
        let is_ipv6 = self.bytes.get(start).is_some_and(|first| first >> 4 == 6);
        let header = offload.encode(is_ipv6, cfg!(target_endian = "little"));
        if let Some(packet) = self.bytes.get(start..end) {
            if side == Side::Inside && self.questions.is_reply(packet) {
                return;
            }
            self.captures.leaves(side, packet);
        }
        self.bytes[start - HEADER_LEN..start].copy_from_slice(&header);
        self.devices
            .of(side)
            .write(&self.bytes[start - HEADER_LEN..end]);
    }

    /// The rest of the drive loop: the stores, what leaves by itself, events, deadlines.
    fn turn(&mut self) -> io::Result<()> {
        while let Some((id, reply)) = self.stores.poll(self.clock.now()) {
            self.gateway.handle_store(self.clock.now(), id, reply);
            for (wanted, ..) in &mut self.held {
                wanted.remove(&id);
            }
        }
        while let Some((wanted, ..)) = self.held.front()
            && wanted.is_empty()
            && let Some((_, reply, answer)) = self.held.pop_front()
        {
            reply.send(answer);
        }
        sharing::turn(
            self.clock.now(),
            &mut self.gateway,
            self.stores,
            &mut self.events,
        )?;
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
        self.submit();
        while let Some(event) = self.gateway.poll_event() {
            log::tell(&event, self.plan.debug_log, self.log_sessions);
            self.events.note(&event);
        }
        Ok(())
    }

    /// Reads the resources again, and goes on as they say; as before if that cannot be.
    fn reload(&mut self, resources: &Resources<'_>, network: &mut Network) {
        self.settle(Duration::from_secs(1));
        if self.stores.waiting() > 0 {
            tracing::error!("not reloaded: the journal does not reply; send SIGHUP once it does");
            return;
        }
        let now = self.clock.now();
        match reload::reload(resources, network, &self.gateway, &self.plan, now) {
            Ok(Reloaded::Same) => tracing::info!("reloaded: nothing changes"),
            Ok(Reloaded::Changed(gateway, plan, taken)) => {
                self.gateway = *gateway;
                self.plan = *plan;
                self.stores.set_scope(Scope::of(&self.plan));
                tracing::info!(
                    sessions = taken.sessions,
                    sessions_lost = taken.sessions_lost,
                    mappings = taken.mappings,
                    mappings_lost = taken.mappings_lost,
                    answers = taken.answers,
                    "reloaded"
                );
                let egress = &self.plan.egress;
                self.events.of_resource(egress, "Updated", "updated");
            }
            Err(error) => {
                tracing::error!("not reloaded, everything goes on as before: {error}");
                let message = format!("not reloaded: {error}");
                self.events.push("Warning", "ReloadFailed", message);
            }
        }
        self.turn_over();
    }

    /// One turn; that another process has this replica's number, the next one tells again.
    fn turn_over(&mut self) {
        if let Err(error) = self.turn() {
            tracing::error!("{error}");
        }
    }

    /// Lets answers about what was changed wait for the stores.
    fn hold(&mut self, written: Vec<(Reply, Answer)>) {
        if written.is_empty() {
            return;
        }
        let wanted = self.submit();
        for (reply, answer) in written {
            self.held.push_back((wanted.clone(), reply, answer));
        }
    }

    /// Hands on what is to be stored; gives which operations these are.
    fn submit(&mut self) -> BTreeSet<OperationId> {
        let mut submitted = BTreeSet::new();
        while let Some(operation) = self.gateway.poll_store() {
            submitted.insert(operation.id);
            self.stores.submit(self.clock.now(), operation);
        }
        submitted
    }

    /// Waits for the stores, so long at most: their replies are for this gateway, not for the next.
    fn settle(&mut self, most: Duration) {
        self.turn_over();
        let until = self.clock.now().saturating_add(most);
        while self.stores.waiting() > 0 && self.clock.now() < until {
            let wait = Timespec {
                tv_sec: 0,
                tv_nsec: 10_000_000,
            };
            let mut waited = [PollFd::from_borrowed_fd(self.stores.as_fd(), PollFlags::IN)];
            let _ = rustix::event::poll(&mut waited, Some(&wait));
            self.stores.hush();
            self.turn_over();
        }
    }
}
