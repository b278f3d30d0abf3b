//! What the process may do once everything is set up.

use rustix::io::Result;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

/// Keeps what routes, rules, devices and the settings of the host's network need, and gives up the
/// rest, for good. A process that had less goes on with what it had.
pub(super) fn drop() -> Result<()> {
    let had = rustix::thread::capabilities(None)?;
    // Files of root below /proc/sys can be written by root alone; others need this to put them back.
    let needed = CapabilitySet::NET_ADMIN;
    let kept = had.permitted & needed;
    set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    rustix::thread::set_no_new_privs(true)
}
