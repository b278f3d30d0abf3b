//! A change of the resources while traffic flows: a successor is made ready beside the gateway, takes
//! over what lives, and only then are routes taken away that it has no use for.

use core::mem::MaybeUninit;
use core::time::Duration;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use egress_config::Plan;
use egress_gateway::{Gateway, TakenOver};
use rustix::fs::inotify;

use super::Resources;
use crate::host::network::Network;

/// How long resources must rest before they are read: editors and mounts change them in several steps.
const SETTLES: Duration = Duration::from_millis(300);

/// How long changes that do not end may put that off.
const PATIENCE: Duration = Duration::from_secs(2);

/// The link that a mounted ConfigMap swaps.
const MOUNTED: &str = "..data";

/// Why everything stays as it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReloadError {
    #[error("the new resources have errors (they are told on standard error)")]
    Resources,
    #[error("{0} is not there")]
    Gone(String),
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
    let mut paths = resources.paths().iter();
    if let Some(gone) = paths.find(|path| path.as_path() != Path::new("-") && !path.exists()) {
        return Err(ReloadError::Gone(gone.display().to_string()));
    }
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

/// When to read changed resources: once they rest, and even if they never do.
#[derive(Debug, Default)]
pub(super) struct Due {
    first: Option<Duration>,
    at: Option<Duration>,
}

impl Due {
    /// Something changed.
    pub(super) fn changed(&mut self, now: Duration) {
        let first = *self.first.get_or_insert(now);
        let most = first.saturating_add(PATIENCE);
        self.at = Some(now.saturating_add(SETTLES).min(most));
    }

    /// Somebody asked for it.
    pub(super) fn at_once(&mut self, now: Duration) {
        self.at = Some(now);
    }

    pub(super) const fn at(&self) -> Option<Duration> {
        self.at
    }

    /// Whether it is time; asked once.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let is_due = self.at.is_some_and(|at| at <= now);
        if is_due {
            *self = Self::default();
        }
        is_due
    }
}

/// Tells when something below the resources' paths changes.
#[derive(Debug)]
pub(super) struct Watch {
    told: Option<OwnedFd>,
    paths: Vec<PathBuf>,
    /// What the watched directories' changes mean.
    wanted: Vec<(i32, Wanted)>,
}

/// Names in a watched directory that matter.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// Files of resources.
    Resources,
    /// One: the path itself, which may be replaced as a whole.
    Name(OsString),
}

impl Watch {
    /// Watches what can be watched; where nothing can, SIGHUP remains.
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let mut watch = Self {
            told: None,
            paths: paths.to_vec(),
            wanted: Vec::new(),
        };
        watch.renew();
        watch
    }

    /// Watches what the paths lead to now: a directory that was replaced is another, under its name.
    pub(super) fn renew(&mut self) {
        self.told = None;
        self.wanted.clear();
        match self.start() {
            Ok(told) => self.told = Some(told),
            Err(error) => {
                tracing::warn!("changes of the resources are not noticed ({error}): send SIGHUP");
            }
        }
    }

    fn start(&mut self) -> rustix::io::Result<OwnedFd> {
        let told = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let what = inotify::WatchFlags::CLOSE_WRITE
            | inotify::WatchFlags::CREATE
            | inotify::WatchFlags::DELETE
            | inotify::WatchFlags::MOVED_FROM
            | inotify::WatchFlags::MOVED_TO
            | inotify::WatchFlags::MOVE_SELF
            | inotify::WatchFlags::DELETE_SELF;
        for path in &self.paths {
            if path.is_dir() {
                let number = inotify::add_watch(&told, path, what)?;
                self.wanted.push((number, Wanted::Resources));
            }
            // A path is replaced by another of its name: the directory that it stands in sees that.
            let name = path.file_name();
            let parent = path.parent().filter(|parent| *parent != Path::new(""));
            if let Some(name) = name {
                let parent = parent.unwrap_or_else(|| Path::new("."));
                match inotify::add_watch(&told, parent, what) {
                    Ok(number) => self.wanted.push((number, Wanted::Name(name.to_owned()))),
                    // The directory itself is watched; that it is replaced may be hidden from this process.
                    Err(_) if path.is_dir() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(told)
    }

    /// Readable once something changed.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.told.as_ref().map(AsFd::as_fd)
    }

    /// Takes note of what did; whether it may be the resources.
    pub(super) fn hush(&mut self) -> bool {
        let Some(told) = &self.told else { return false };
        let (mut matters, mut is_lost) = (false, false);
        let mut room = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(told, &mut room);
        while let Ok(event) = reader.next() {
            let flags = event.events();
            let itself = inotify::ReadFlags::IGNORED
                | inotify::ReadFlags::MOVE_SELF
                | inotify::ReadFlags::DELETE_SELF
                | inotify::ReadFlags::QUEUE_OVERFLOW;
            is_lost |= flags.intersects(itself);
            let name = event
                .file_name()
                .map(|name| OsStr::from_bytes(name.to_bytes()));
            let number = event.wd();
            matters |= name.is_some_and(|name| {
                let mut wanted = self.wanted.iter().filter(|(of, _)| *of == number);
                wanted.any(|(_, wanted)| wanted.is(name))
            });
        }
        if is_lost {
            self.renew();
        }
        matters || is_lost
    }
}

impl Wanted {
    fn is(&self, name: &OsStr) -> bool {
        match self {
            Self::Name(wanted) => name == wanted || name == MOUNTED,
            Self::Resources => {
                let end = Path::new(name).extension().and_then(OsStr::to_str);
                name == MOUNTED || matches!(end, Some("yaml" | "yml" | "json"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn changes_without_end_put_a_reload_off_for_two_seconds() {
        let ms = Duration::from_millis;
        let mut due = Due::default();
        for at in (0..2000).step_by(100) {
            due.changed(ms(at));
            assert!(!due.take(ms(at)), "{at}");
        }
        assert!(due.take(ms(2000)));
        assert_eq!(due.at(), None);
        due.changed(ms(2100));
        assert_eq!(due.at(), Some(ms(2400)));
        due.at_once(ms(2200));
        assert!(due.take(ms(2200)));
    }

    #[test]
    fn a_directory_that_is_replaced_is_noticed_again_and_again_and_other_names_are_not() {
        let base = std::env::temp_dir().join(format!("egress-watch-{}", std::process::id()));
        let (one, two, path) = (base.join("one"), base.join("two"), base.join("config"));
        fs::create_dir_all(&one).unwrap();
        fs::create_dir_all(&two).unwrap();
        symlink(&one, &path).unwrap();
        let mut watch = Watch::of(core::slice::from_ref(&path));
        assert!(!watch.hush());
        fs::write(one.join(".egress.yaml.swp"), "").unwrap();
        fs::write(base.join("other.yaml"), "").unwrap();
        assert!(!watch.hush());
        fs::write(one.join("egress.yaml"), "").unwrap();
        assert!(watch.hush());
        for target in [&two, &one, &two] {
            let next = base.join("next");
            symlink(target, &next).unwrap();
            fs::rename(&next, &path).unwrap();
            assert!(watch.hush());
            watch.renew();
            fs::write(target.join("egress.yaml"), "").unwrap();
            assert!(watch.hush());
        }
        fs::remove_file(&path).unwrap();
        assert!(watch.hush());
        watch.renew();
        fs::rename(&one, &path).unwrap();
        assert!(watch.hush());
        watch.renew();
        fs::write(path.join("egress.yaml"), "").unwrap();
        assert!(watch.hush());
        fs::remove_dir_all(&base).unwrap();
        assert!(watch.hush());
    }
}
