//! The life of a composition (DESIGN.md 3.6): pure, time as an argument.
//!
//! The contract: [`Composition::new`] or [`Composition::handle_input`], then drain [`Composition::poll_output`] until it is
//! `None`, then wait until [`Composition::poll_timeout`] or the next thing that happens. The outputs of one input come in this
//! order: the new public state, events, actions; the driver writes the first two in one transaction before it acts.
//! Every destination is opened at once and gets exactly one [`Output::CloseDestination`]; [`Output::ReleaseWorker`] comes
//! once, [`Output::Forget`] is the last output of all.
//!
//! Asking twice is safe, and late news of something that is over is ignored.

mod backoff;
mod context;
mod destination;
mod effects;
mod input;
mod machine;
mod output;
mod saved;
mod spec;
mod state;
mod timers;

pub use self::input::{DestinationReport, Input};
pub use self::machine::Composition;
pub use self::output::{DestinationOutcome, Event, Output};
pub use self::saved::SavedComposition;
pub use self::spec::{StartSpec, StartSpecError};
pub use self::state::{
    DestinationError, DestinationKind, PublicCompositionState, PublicDestination,
    PublicDestinationState, PublicState, SessionError, StopCause,
};
