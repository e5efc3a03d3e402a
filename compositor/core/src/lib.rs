//! Pure words and decisions of Proscenium: ids, time, limits, access units, the journal's records, the worker protocol,
//! layout and the composition state machine.
//!
//! Nothing in here performs IO or reads a clock: time is an argument. Every state machine keeps one contract: give it one
//! input, drain `poll_output` until `None`, then wait until `poll_timeout`.
//!
//! ```
//! use compositor_core::composition::{
//!     Composition, DestinationKind, DestinationReport, Event, Input, Output, PublicCompositionState, StartSpec,
//! };
//! use compositor_core::id::{CompositionId, DestinationId};
//! use compositor_core::time::{MonotonicTime, WallTime};
//!
//! let (now, wall) = (MonotonicTime(0), WallTime(1_700_000_000_000_000));
//! let recording = DestinationId::new("bD9rRoN91fHU");
//! let spec = StartSpec::new(
//!     CompositionId::new("YVoaXkKdEdRP"),
//!     vec![(recording.clone(), DestinationKind::S3)],
//!     7,
//! )?;
//! let mut composition = Composition::new(spec, now, wall);
//!
//! // Drain: first what the API shows, then events, then what is to be done.
//! assert!(matches!(composition.poll_output(), Some(Output::StateChanged(_))));
//! assert_eq!(
//!     composition.poll_output(),
//!     Some(Output::OpenDestination { id: recording.clone(), attempt: 1 })
//! );
//! assert_eq!(composition.poll_output(), None);
//!
//! // Something happens.
//! let report = DestinationReport::FirstOutput;
//! composition.handle_input(now, wall, Input::Destination { id: recording.clone(), report });
//! let Some(Output::StateChanged(public)) = composition.poll_output() else { panic!() };
//! assert_eq!(public.state, PublicCompositionState::Active);
//! assert_eq!(
//!     composition.poll_output(),
//!     Some(Output::Event(Event::DestinationStart { id: recording }))
//! );
//! assert_eq!(composition.poll_output(), Some(Output::Event(Event::SessionStart)));
//! assert_eq!(composition.poll_output(), None);
//!
//! // Nothing happens: nobody publishes for a minute.
//! let deadline = composition.poll_timeout().expect("the idle timer runs");
//! assert_eq!(deadline, MonotonicTime(60_000_000_000));
//! composition.handle_input(deadline, wall, Input::Timeout);
//! let Some(Output::StateChanged(public)) = composition.poll_output() else { panic!() };
//! assert_eq!(public.state, PublicCompositionState::Stopping);
//! # Ok::<(), compositor_core::composition::StartSpecError>(())
//! ```

pub mod access_unit;
pub mod bitstream;
pub mod composition;
pub mod error_chain;
pub mod id;
pub mod journal;
pub mod ladder;
pub mod layer_choice;
pub mod layout;
pub mod limits;
pub mod places;
pub mod quality;
pub mod quarantine;
pub mod restart_budget;
pub mod roster;
pub mod sink;
pub mod time;
pub mod worker_protocol;
