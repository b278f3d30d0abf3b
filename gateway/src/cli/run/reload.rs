//! A change of the resources while traffic flows: a successor is made ready beside the gateway, takes
//! over what lives, and only then are routes taken away that it has no use for.

use core::time::Duration;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use egress_config::Plan;
use egress_gateway::{Gateway, TakenOver};
use rustix::fs::inotify;

use super::Resources;
use crate::host::network::Network;

/// How long resources must rest before they are read: editors and mounts change them in several steps.
pub(super) const SETTLES: Duration = Duration::from_millis(300);

/// Why everything stays as it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReloadError {
    #[error("the new resources have errors (they are told on standard error)")]
    Resources,
    #[error("they are of {found}, and this gateway carries out {wanted}")]
    Other { wanted: String, found: String },
    #[error("{0}")]
    Refused(#[from] egress_config::DiffError),
    #[error("{0}")]
    Setup(#[from] egress_gateway::SetupError),
    #[error("{0}")]
    Network(#[from] crate::host::network::NetworkError),
    #[error("{0}")]
    Options(#[from] super::OptionsError),
    #[error("no entropy: {0}")]
    Entropy(getrandom::Error),
}

/// What came of a reload.
pub(super) enum Reloaded {
    /// Nothing that this replica does changes.
    Same,
    /// The successor, and what it does.
    Changed(Box<Gateway>, Box<Plan>, TakenOver),
}

/// Reads the resources again; `gateway` carries out `plan` until now, and goes on if this fails.
pub(super) fn reload(
    resources: &Resources<'_>,
    network: &mut Network,
    gateway: &Gateway,
    plan: &Plan,
    now: Duration,
) -> Result<Reloaded, ReloadError> {
    let new = resources.read().ok_or(ReloadError::Resources)?;
    if new.egress != plan.egress {
        return Err(ReloadError::Other {
            wanted: plan.egress.clone(),
            found: new.egress,
        });
    }
    let diff = plan.diff(&new);
    if diff.changes.is_empty() {
        return Ok(Reloaded::Same);
    }
    for change in &diff.changes {
        tracing::info!(
            "{}: {} becomes {} ({})",
            change.field,
            change.before,
            change.after,
            change.effect.summary()
        );
    }
    let live = gateway.mappings().count() as u64;
    diff.permit(live, resources.drain())?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(ReloadError::Entropy)?;
    let options = resources.options()?;
    let mut successor = Box::new(Gateway::with_options(&new, &options, seed)?);
    network.renew(&new, resources.names(), resources.interfaces())?;
    let taken = successor.take_over(now, gateway);
    Ok(Reloaded::Changed(successor, Box::new(new), taken))
}

/// Tells when something below the resources' paths changes.
#[derive(Debug)]
pub(super) struct Watch(Option<OwnedFd>);

impl Watch {
    /// Watches what can be watched; where nothing can, SIGHUP remains.
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let start = || {
            let watch =
                inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
            for path in paths {
                // A file is replaced by another of its name: its directory sees that.
                let folder = if path.is_dir() {
                    path.as_path()
                } else {
                    match path.parent() {
                        Some(parent) if parent != Path::new("") => parent,
                        Some(_) | None => Path::new("."),
                    }
                };
                let what = inotify::WatchFlags::CLOSE_WRITE
                    | inotify::WatchFlags::CREATE
                    | inotify::WatchFlags::DELETE
                    | inotify::WatchFlags::MOVED_FROM
                    | inotify::WatchFlags::MOVED_TO;
                inotify::add_watch(&watch, folder, what)?;
            }
            Ok::<_, rustix::io::Errno>(watch)
        };
        match start() {
            Ok(watch) => Self(Some(watch)),
            Err(error) => {
                tracing::warn!("changes of the resources are not noticed ({error}): send SIGHUP");
                Self(None)
            }
        }
    }

    /// Readable once something changed.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }

    /// Takes note that it did.
    pub(super) fn hush(&self) {
        let mut told = [0; 4096];
        if let Some(watch) = &self.0 {
            while rustix::io::read(watch, &mut told).is_ok_and(|length| length > 0) {}
        }
    }
}
