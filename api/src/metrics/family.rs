//! Metrics are made anew for each answer from what is the case then.

use prometheus::core::Collector;
use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, Opts, Registry, TextEncoder};

pub(super) fn counter(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntCounterVec> {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

pub(super) fn gauge(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<GaugeVec> {
    registered(registry, GaugeVec::new(Opts::new(name, help), labels)?)
}

/// A gauge without labels.
pub(super) fn value(
    registry: &Registry,
    name: &str,
    help: &str,
    value: f64,
) -> prometheus::Result<()> {
    registered(registry, Gauge::new(name, help)?).map(|gauge| gauge.set(value))
}

/// A counter without labels.
pub(super) fn total(
    registry: &Registry,
    name: &str,
    help: &str,
    count: u64,
) -> prometheus::Result<()> {
    registered(registry, IntCounter::new(name, help)?).map(|counter| counter.inc_by(count))
}

fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    family: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

/// In the plain text format 0.0.4.
pub(super) fn text(registry: &Registry) -> prometheus::Result<String> {
    TextEncoder::new().encode_to_string(&registry.gather())
}
