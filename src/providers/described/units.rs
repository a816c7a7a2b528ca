//! Durations and rates of a description.

use std::time::Duration;

use super::fault::{DescriptionTable, Faults};
use crate::domain::service::Rate;

/// A duration above zero: `500ms`, `5s`, `30m`, `1h`, `2d`.
pub fn duration(fields: &DescriptionTable<'_>, key: &str, faults: &mut Faults) -> Option<Duration> {
    let text = fields.word(key, faults)?;
    let found = parsed(text).filter(|duration| *duration > Duration::ZERO);
    if found.is_none() {
        let span = fields.get(key).and_then(|member| member.node.span.clone());
        faults.add(span, format!("`{key}` is no duration"), "write \"500ms\", \"5s\", \"30m\" or \"1h\"");
    }
    found
}

/// A rate above zero: `20/s`, `400/min`, `2000/10s`.
pub fn rate(fields: &DescriptionTable<'_>, key: &str, faults: &mut Faults) -> Option<Rate> {
    let text = fields.word(key, faults)?;
    let found = text.split_once('/').and_then(|(requests, per)| {
        let requests: u32 = requests.trim().parse().ok().filter(|requests| *requests > 0)?;
        let per = per.trim();
        let per = if per.starts_with(|c: char| c.is_ascii_digit()) { parsed(per) } else { parsed(&format!("1{per}")) };
        Some(Rate { requests, per: per.filter(|per| *per > Duration::ZERO)? })
    });
    if found.is_none() {
        let span = fields.get(key).and_then(|member| member.node.span.clone());
        faults.add(span, format!("`{key}` is no rate"), "write \"20/s\", \"400/min\" or \"2000/10s\"");
    }
    found
}

fn parsed(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    for part in text.split_whitespace() {
        let digits = part.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = part.split_at_checked(digits)?;
        let number: u64 = number.parse().ok()?;
        let unit = match unit {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" | "min" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(86_400),
            _ => return None,
        };
        sum = sum.checked_add(unit.checked_mul(u32::try_from(number).ok()?)?)?;
    }
    Some(sum)
}
