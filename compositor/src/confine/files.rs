//! Landlock: which files are left, no TCP, no signals to others.

use std::path::{Path, PathBuf};

use compositor_core::error_chain::error_chain;
use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};

use super::Needs;
use crate::plugins;

/// Everything that this one knows is refused where the kernel can; Debian 12 has the first two.
const KNOWN: ABI = ABI::V6;

/// Libraries, what they ask about the machine, and randomness. Nothing here is anybody's.
const OF_THE_SYSTEM: [&str; 10] = [
    "/usr/lib",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/proc/self",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/dev/null",
    "/dev/urandom",
];

/// Leaves the files that `needs` names and those of the system.
pub(super) fn give_up(needs: &Needs<'_>) {
    match restrict(needs) {
        Ok(RulesetStatus::FullyEnforced) => {}
        Ok(RulesetStatus::PartiallyEnforced) => {
            tracing::debug!("this kernel has an older Landlock, which leaves some access");
        }
        Ok(RulesetStatus::NotEnforced) => {
            tracing::warn!(
                "this kernel has no Landlock: a process that decodes media can read the files of its user"
            );
        }
        Err(error) => {
            tracing::warn!(error = %error_chain(&error), "Landlock does not confine this process");
        }
    }
}

fn restrict(needs: &Needs<'_>) -> Result<RulesetStatus, RulesetError> {
    // Not to execute: libraries are only mapped.
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = (AccessFs::from_write(KNOWN) | read)
        & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeSock);
    let of_the_system = OF_THE_SYSTEM.map(PathBuf::from);
    let readable = (plugins::folders().into_iter())
        .chain(of_the_system)
        .chain(needs.read.iter().copied().map(Path::to_owned));
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(KNOWN))?
        .handle_access(AccessNet::from_all(KNOWN))?
        .scope(Scope::from_all(KNOWN))?
        .create()?
        .add_rules(path_beneath_rules(readable, read))?
        .add_rules(path_beneath_rules(needs.write, write))?
        .restrict_self()?;
    Ok(status.ruleset)
}
