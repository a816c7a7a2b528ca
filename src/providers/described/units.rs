//! Durations and rates of a description.

use std::time::Duration;

use super::fault::{DescriptionTable, Faults};
use crate::domain::service::Rate;
use crate::domain::units;

/// A duration above zero: `500ms`, `5s`, `30m`, `1h`, `2d`.
pub fn duration(fields: &DescriptionTable<'_>, key: &str, faults: &mut Faults) -> Option<Duration> {
    let text = fields.word(key, faults)?;
    let found = units::duration(text).ok();
    if found.is_none() {
        let span = fields.get(key).and_then(|member| member.node.span.clone());
        faults.add(span, format!("`{key}` is no duration"), "write \"500ms\", \"5s\", \"30m\" or \"1h\"");
    }
    found
}

/// A rate above zero: `20/s`, `400/min`, `2000/10s`.
pub fn rate(fields: &DescriptionTable<'_>, key: &str, faults: &mut Faults) -> Option<Rate> {
    let text = fields.word(key, faults)?;
    let found = units::rate(text).ok();
    if found.is_none() {
        let span = fields.get(key).and_then(|member| member.node.span.clone());
        faults.add(span, format!("`{key}` is no rate"), "write \"20/s\", \"400/min\" or \"2000/10s\"");
    }
    found
}
