//! Who may play a channel: tokens, origins, countries, renditions. All rules are pure; what they need to know is fetched
//! through [`PlaybackGate`] before.

mod admission;
mod claims;
#[cfg(test)]
mod fuzz;
mod gate;
mod origin_rule;
mod refusal;

pub use gate::{
    ClientAddress, Country, GateError, PlaybackGate, PlaybackKey, PlaybackTerms, RestrictionPolicy,
    SingleUse, ViewerBreach,
};

pub(crate) use admission::{Pass, PlaybackRequest, admit_by_policy, admit_by_token};
pub(crate) use refusal::Refusal;

#[cfg(test)]
pub(crate) use admission::Viewer;
