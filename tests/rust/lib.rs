//! End-to-end tests in Rust: the AWS SDK crates against a running server. The others are in `e2e`, in Python.
