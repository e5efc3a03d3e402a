//! Objects with later content.

/// An object that is overwritten: what should be stored, what is being stored, what is stored.
#[derive(Debug, Default)]
pub(super) struct Versions<V> {
    pub(super) storing: Option<V>,
    pub(super) stored: Option<V>,
    pub(super) wanted: Option<V>,
}

impl<V: Copy + PartialEq> Versions<V> {
    pub(super) fn is_behind(&self) -> bool {
        self.storing.is_none() && self.wanted.is_some() && self.wanted != self.stored
    }

    /// Begins to store what is wanted, if that is not stored yet.
    pub(super) fn store(&mut self) -> Option<V> {
        if !self.is_behind() {
            return None;
        }
        self.storing = self.wanted;
        self.storing
    }

    /// What was being stored is stored; tells whether it is the first version.
    pub(super) fn stored(&mut self) -> bool {
        let first = self.stored.is_none();
        self.stored = self.storing.take();
        first
    }
}
