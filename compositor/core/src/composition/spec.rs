//! What a composition is started with.

use crate::id::{CompositionId, DestinationId};
use crate::limits::DESTINATIONS_PER_COMPOSITION_MAX;

use super::state::DestinationKind;

/// A composition that may be started; holds only what IVS allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StartSpec {
    pub(super) composition: CompositionId,
    pub(super) destinations: Vec<(DestinationId, DestinationKind)>,
    pub(super) retry_seed: u64,
}

/// Why a composition cannot be started.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StartSpecError {
    /// Too few or too many destinations.
    #[error("destinations: {given} given, 1 to {DESTINATIONS_PER_COMPOSITION_MAX} allowed")]
    Count {
        /// How many there are.
        given: usize,
    },
    /// Two channels, or two buckets.
    #[error("destinations: two of the kind {kind:?} given, at most one of each allowed")]
    SameKind {
        /// Which kind.
        kind: DestinationKind,
    },
    /// One identifier twice.
    #[error("destinations: the id {id} is given twice, each must be unique")]
    SameId {
        /// Which.
        id: DestinationId,
    },
}

impl StartSpec {
    /// Checks the destinations. `retry_seed` is any number; it spreads retries of different compositions.
    pub fn new(
        composition: CompositionId,
        destinations: Vec<(DestinationId, DestinationKind)>,
        retry_seed: u64,
    ) -> Result<Self, StartSpecError> {
        match destinations.as_slice() {
            [_] => {}
            [(first, kind), (second, other)] => {
                if kind == other {
                    return Err(StartSpecError::SameKind { kind: *kind });
                }
                if first == second {
                    return Err(StartSpecError::SameId { id: first.clone() });
                }
            }
            others => {
                return Err(StartSpecError::Count {
                    given: others.len(),
                });
            }
        }
        Ok(Self {
            composition,
            destinations,
            retry_seed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kinds: &[(&str, DestinationKind)]) -> Result<StartSpec, StartSpecError> {
        let destinations = kinds
            .iter()
            .map(|(id, kind)| (DestinationId::new(*id), *kind))
            .collect();
        StartSpec::new(CompositionId::new("c"), destinations, 0)
    }

    #[test]
    fn one_destination_or_one_of_each_kind_is_allowed() {
        use DestinationKind::{Channel, S3};
        assert!(check(&[("a", Channel)]).is_ok());
        assert!(check(&[("a", S3), ("b", Channel)]).is_ok());
        assert_eq!(check(&[]), Err(StartSpecError::Count { given: 0 }));
        assert_eq!(
            check(&[("a", S3), ("b", Channel), ("c", S3)]),
            Err(StartSpecError::Count { given: 3 })
        );
        assert_eq!(
            check(&[("a", S3), ("b", S3)]),
            Err(StartSpecError::SameKind { kind: S3 })
        );
        assert_eq!(
            check(&[("a", S3), ("a", Channel)]),
            Err(StartSpecError::SameId {
                id: DestinationId::new("a")
            })
        );
    }
}
