//! The AWS surface of Proscenium and everything that `proscenium serve` wires together.
//!
//! [`router::router`] answers both IVS services on one port. It knows the [`store`] and, for everything that happens
//! outside it, one trait: [`backend::Backend`].

pub mod backend;
