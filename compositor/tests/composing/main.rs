//! Composing of synthetic journals, looked at from outside: one program, so that it links once.

mod changes;
mod composition;
mod confined;
mod continuation;
mod decoding;
mod degradation;
mod hostile;
mod support;
mod worker_process;
