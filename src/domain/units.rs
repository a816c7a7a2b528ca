//! Durations, rates and sizes as people write them: "500ms", "1m 30s", "20/s", "2000/10s", "500 MB".

use std::time::Duration;

use jiff::SpanRelativeTo;
use jiff::fmt::friendly::SpanParser;

use super::service::Rate;

/// Why a text is no duration or rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    #[error("lacks a unit")]
    NoUnit,
    #[error("is no duration")]
    NoDuration,
    #[error("must be above zero")]
    NotAboveZero,
    #[error("is longer than a year")]
    TooLong,
    #[error("is no rate")]
    NoRate,
    #[error("is no size")]
    NoSize,
    #[error("is too large a number")]
    TooLarge,
}

impl UnitError {
    /// What to write instead.
    pub fn help(self) -> &'static str {
        match self {
            Self::NoUnit => "write a duration like \"500ms\", \"5s\", \"1m 30s\" or \"2h\"",
            Self::NoDuration => "write one like \"500ms\", \"5s\", \"1m 30s\" or \"2h\"",
            Self::NoRate => "write one like \"20/s\", \"100/min\" or \"500/h\"",
            Self::NoSize => "write one like \"500 MB\" or \"4 GiB\"",
            Self::NotAboveZero | Self::TooLong | Self::TooLarge => "leave it out for the default",
        }
    }
}

/// Longer than anyone means, and short enough to be added to any time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A duration above zero; a day is 24 hours.
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    static PARSER: SpanParser = SpanParser::new();
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UnitError::NoUnit);
    }
    let span = PARSER.parse_span(text).map_err(|_| UnitError::NoDuration)?;
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| UnitError::NoDuration)?;
    let duration = Duration::try_from(signed).map_err(|_| UnitError::NotAboveZero)?;
    match duration {
        Duration::ZERO => Err(UnitError::NotAboveZero),
        duration if duration > LONGEST => Err(UnitError::TooLong),
        duration => Ok(duration),
    }
}

/// A rate above zero, in an hour at most: `20/s`, `100/min`, `2000/10s`.
pub fn rate(text: &str) -> Result<Rate, UnitError> {
    let no_rate = UnitError::NoRate;
    let (requests, per) = text.split_once('/').ok_or(no_rate)?;
    let per = per.trim();
    let per = match per.chars().next() {
        Some(c) if c.is_ascii_digit() => duration(per),
        Some(c) if c.is_alphabetic() => duration(&format!("1{per}")),
        Some(_) | None => Err(no_rate),
    };
    let per = per.ok().filter(|per| *per <= Duration::from_secs(3600)).ok_or(no_rate)?;
    let requests = requests.trim();
    if requests.is_empty() || !requests.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(no_rate);
    }
    match requests.parse() {
        Ok(0) => Err(UnitError::NotAboveZero),
        Ok(requests) => Ok(Rate { requests, per }),
        Err(_) => Err(UnitError::TooLarge),
    }
}

/// A number of bytes above zero.
pub fn size(text: &str) -> Result<u64, UnitError> {
    let no_size = UnitError::NoSize;
    let (number, unit) = text.trim().split_at(text.trim().find(|c: char| !c.is_ascii_digit()).unwrap_or(0));
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(no_size),
    };
    let number: u64 = number.parse().map_err(|_| no_size)?;
    match number.checked_mul(unit) {
        Some(0) => Err(UnitError::NotAboveZero),
        Some(bytes) => Ok(bytes),
        None => Err(UnitError::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_and_is_above_zero() {
        let cases = [
            ("4 GiB", Some(4 << 30)),
            ("500MB", Some(500_000_000)),
            (" 64 kib ", Some(65_536)),
            ("1b", Some(1)),
            ("0 MB", None),
            ("4", None),
            ("GiB", None),
            ("-1 MB", None),
            ("1.5 GB", None),
            ("99999999999999 GiB", None),
            ("", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
    }

    #[test]
    fn a_duration_has_a_unit_and_is_above_zero() {
        let cases = [
            ("500ms", Some(500)),
            ("5s", Some(5_000)),
            (" 5 s ", Some(5_000)),
            ("1m 30s", Some(90_000)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("2h", Some(7_200_000)),
            ("2 hours", Some(7_200_000)),
            ("30d", Some(2_592_000_000)),
            ("1w 1d 2h", Some(698_400_000)),
            ("0s", None),
            ("-5s", None),
            ("5s ago", None),
            ("5", None),
            ("", None),
            ("2 months", None),
            ("0d", None),
            ("400d", None),
            ("soon", None),
            ("5 parsecs", None),
            ("100000000h", None),
            ("99999999999999999999999h", None),
        ];
        for (text, millis) in cases {
            assert_eq!(duration(text).ok(), millis.map(Duration::from_millis), "{text:?}");
        }
        assert_eq!(duration("5"), Err(UnitError::NoUnit));
        assert_eq!(duration("0s"), Err(UnitError::NotAboveZero));
        assert_eq!(duration("-1s"), Err(UnitError::NotAboveZero));
    }

    #[test]
    fn a_rate_is_so_many_requests_in_a_time_of_an_hour_at_most() {
        let cases = [
            ("20/s", Some((20, 1))),
            ("100/min", Some((100, 60))),
            (" 100 / m ", Some((100, 60))),
            ("7/h", Some((7, 3600))),
            ("2000/10s", Some((2000, 10))),
            ("0/s", None),
            ("-1/s", None),
            ("+1/s", None),
            ("1.5/s", None),
            ("20", None),
            ("20/", None),
            ("/s", None),
            ("20/week", None),
            ("20/.5s", None),
            ("20/,5s", None),
            ("20/-1s", None),
            ("20/0.5s", Some((20, 0))),
            ("99999999999/s", None),
        ];
        for (text, expected) in cases {
            let found = rate(text).ok().map(|rate| (rate.requests, rate.per.as_secs()));
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
