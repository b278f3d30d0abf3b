//! The main story, on the simulated network: two IPv4-only pods, interleaved, each fetch a page from
//! an IPv6-only web server, through a gateway under the reader's own resources.
//!
//! ```
//! use egress_gateway::story::{Script, Story};
//!
//! let mut sources = egress_config::Sources::new();
//! # let set = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/sets/dns-nat46");
//! sources.read_path(set.as_ref())?;
//! let plan = egress_config::check(&sources).plan(0)?;
//! let report = Story::new(&plan, Script { page: 10_000, ..Script::default() })?.run()?;
//! assert_eq!(report.failed(), None);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod cast;
mod evidence;
mod fault;
mod report;
mod rules;
mod scene;
mod stage;
mod teller;
mod tour;

use core::time::Duration;

use egress_config::Plan;

use crate::SetupError;
use crate::sim::{LinkConfig, Stalled};

pub use cast::Cast;
pub use fault::Fault;
pub use report::{Moment, Report, Told, comment};
pub use scene::Scene;
pub use stage::Stage;
pub use tour::{Tour, Travelled};

/// How the story is played.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// All chance follows from it: ports, identifiers, lost packets.
    pub seed: u64,
    /// Both links of the gateway.
    pub link: LinkConfig,
    /// How often a pod may ask and connect.
    pub attempts: u32,
    /// Bytes of each page.
    pub page: usize,
    /// What is broken.
    pub fault: Option<Fault>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            seed: 1,
            link: LinkConfig::clean(),
            attempts: 1,
            page: 1 << 20,
            fault: None,
        }
    }
}

/// Why a plan has no such story.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unplayable {
    /// The story is about DNS46.
    #[error("DNS46 is off: set `dnsNat46Enabled: true` and name an F5SPKDnscache")]
    NoDns46,
    /// Nobody can be asked.
    #[error("no forward zone has a name server")]
    NoServer,
    /// Pods need addresses.
    #[error("no internal VLAN has an IPv4 subnet with room for two pods")]
    NoInside,
    /// A part of the gateway refuses the plan.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// The longest that a pod may take for its page, and the end of all waiting, in virtual time.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// How long the sessions may take to end once the pods are done: closed connections have 4 minutes
/// (RFC 6146 §4, TCP_TRANS).
const LINGER: Duration = Duration::from_secs(600);

/// A story about to be played.
pub struct Story {
    script: Script,
    scene: Scene,
}

impl Story {
    /// Sets the scene.
    ///
    /// # Errors
    ///
    /// If the plan has no place for this story.
    pub fn new(plan: &Plan, script: Script) -> Result<Self, Unplayable> {
        let mut plan = plan.clone();
        if let Some(fault) = script.fault {
            fault.spoil_plan(&mut plan);
        }
        let cast = Cast::new(&plan)?;
        let scene = Scene::new(plan, cast, &script)?;
        Ok(Self { script, scene })
    }

    /// The scene, to change it before the story begins, or to play it otherwise.
    pub fn scene_mut(&mut self) -> &mut Scene {
        &mut self.scene
    }

    /// Plays it to the end, and looks at what happened.
    ///
    /// # Errors
    ///
    /// If the simulation itself gets stuck.
    pub fn run(self) -> Result<Report, Stalled> {
        let Self { script, mut scene } = self;
        if script.fault == Some(Fault::Mapping) {
            scene.play_until(PATIENCE, Scene::has_stored)?;
            scene.remove_mappings();
        }
        scene.play_until(PATIENCE, Scene::pages_are_over)?;
        let sessions = scene.gateway().gateway().sessions().collect();
        scene.play_until(PATIENCE, Scene::pods_are_done)?;
        let end = scene.net.now() + LINGER;
        scene.play_until(end, Scene::sessions_are_over)?;
        Ok(Report::new(&scene, sessions))
    }
}
