//! What the service manager is told, where there is one (`sd_notify(3)`).

use core::time::Duration;
use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::net::SendFlags;

/// Open from the start: later there may be no descriptor left.
static MANAGER: OnceLock<Option<(UnixDatagram, SocketAddr)>> = OnceLock::new();

/// What tells that we are alive.
const SIGN: &str = "WATCHDOG=1";

/// A service manager that takes nothing in keeps nobody waiting for longer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Finds out who listens, and opens the socket.
pub(super) fn open() {
    MANAGER.get_or_init(|| {
        let path = env::var_os("NOTIFY_SOCKET")?;
        prepare(&path)
            .inspect_err(|error| tracing::warn!("NOTIFY_SOCKET: {error}"))
            .ok()
    });
}

fn prepare(path: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(path),
    }?;
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    // If it is not there yet, it is asked again when there is something to tell.
    let _ = socket.connect_addr(&address);
    Ok((socket, address))
}

/// Sends a line such as `READY=1`, if somebody listens.
pub(super) fn tell(line: &str) {
    let Some(Some((socket, address))) = MANAGER.get() else {
        return;
    };
    // A sign of life that finds the manager's queue full can be left out: others wait there.
    let is_sign = line == SIGN;
    let flags = if is_sign {
        SendFlags::DONTWAIT
    } else {
        SendFlags::empty()
    };
    let send = || rustix::net::send(socket, line.as_bytes(), flags);
    match send() {
        Ok(_) => return,
        Err(Errno::AGAIN) if is_sign => return,
        Err(_) => {}
    }
    // A manager that has started anew listens anew, at the same place.
    let sent = socket
        .connect_addr(address)
        .and_then(|()| send().map_err(io::Error::from));
    if let Err(error) = sent {
        tracing::warn!("NOTIFY_SOCKET: {error}");
    }
}

/// How often the watchdog wants to hear of us: half of what it allows.
pub(super) fn watchdog() -> Option<Duration> {
    let allowed: u64 = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    Some(Duration::from_micros(allowed / 2))
}
