//! The composition state machine in virtual time.

mod adoption;
mod destinations;
mod pairs;
mod props;
mod rows;
mod world;
