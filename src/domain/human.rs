//! Numbers as people read them: durations, ages, sizes, counts, clock times. Used by screens and tables alike.

use std::fmt::Display;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use super::clean::Clean;

/// A duration in at most five or six cells: `41s`, `4m33s`, `10m`, `2h05m`, `3d4h`, `12d`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if seconds < 60 => format!("{seconds}s"),
        () if minutes < 10 => format!("{minutes}m{:02}s", seconds % 60),
        () if minutes < 60 => format!("{minutes}m"),
        () if hours < 24 => format!("{hours}h{:02}m", minutes % 60),
        () if days < 10 => format!("{days}d{}h", hours % 24),
        () => format!("{days}d"),
    }
}

/// A latency: `412 ms`, otherwise as [`duration`].
pub fn latency(latency: Duration) -> String {
    if latency < Duration::from_secs(1) { format!("{} ms", latency.as_millis()) } else { duration(latency) }
}

/// A wait, as one speaks of it: to the second, below one to a tenth of it: `0.4s`, `1s`, `4m33s`.
pub fn wait(wait: Duration) -> String {
    let tenths = (wait.as_millis() + 50) / 100;
    if tenths < 10 { format!("0.{}s", tenths.max(1)) } else { duration(wait + Duration::from_millis(500)) }
}

/// How long ago something was; never below zero.
pub fn age(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

/// A size in decimal units: `71 B`, `3.1 KB`, `48 KB`, `1.2 GB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // Compared after rounding, so that 999,999 bytes are 1.0 MB and not 1000 KB.
    let mut tenths = bytes.saturating_add(50) / 100;
    let mut unit = 0;
    while tenths >= 9995 && unit + 1 < UNITS.len() {
        tenths = (tenths + 500) / 1000;
        unit += 1;
    }
    let unit = UNITS.get(unit).copied().unwrap_or("PB");
    if tenths < 100 {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        format!("{} {unit}", (tenths + 5) / 10)
    }
}

/// A count with its thousands apart: `1,204`.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// So many things: `1 job`, `1204 jobs`.
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// An id in 20 cells at most, so that ids of one batch can be told apart: its beginning and its end.
pub fn short_id(id: &str) -> String {
    let id = Clean::new(id);
    let count = id.chars().count();
    if id.width() <= 20 {
        return id.to_string();
    }
    let head: String = id.chars().take(8).collect();
    let tail: String = id.chars().skip(count - 8).collect();
    format!("{head}…{tail}")
}

/// A rate in per cent, rounded to one decimal, but never up to a whole that is not reached: `95.4%`, `100%`, `0%`.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 || part == 0 {
        return "0%".to_owned();
    }
    if part >= whole {
        return "100%".to_owned();
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    let tenths = ((part * 1000 + whole / 2) / whole).min(999);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

/// A time for other programs, to the second: `2026-11-20T14:21:40Z`.
pub fn stamp(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// The time of day in this zone: `14:21:40`, in UTC `14:21:40Z`.
pub fn clock(at: Timestamp, zone: &TimeZone) -> String {
    format!("{}{}", at.to_zoned(zone.clone()).strftime("%H:%M:%S"), z(zone))
}

/// The time of day, with its date if that is not today's: `14:21:40`, `20 Nov 14:21`, `2025-11-20`; in UTC with a
/// `Z`. At most 13 cells.
pub fn moment(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (then, today) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let form = match () {
        () if then.date() == today.date() => "%H:%M:%S",
        () if then.year() == today.year() => "%-d %b %H:%M",
        () => "%Y-%m-%d",
    };
    let date_alone = then.year() != today.year();
    format!("{}{}", then.strftime(form), if date_alone { "" } else { z(zone) })
}

/// The sign of UTC, where it was asked for by that name.
fn z(zone: &TimeZone) -> &'static str {
    if *zone == TimeZone::UTC { "Z" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn durations_are_as_long_as_they_need_to_be() {
        let cases = [
            (0, "0s"),
            (41, "41s"),
            (60, "1m00s"),
            (273, "4m33s"),
            (599, "9m59s"),
            (651, "10m"),
            (3599, "59m"),
            (7500, "2h05m"),
            (273_600, "3d4h"),
            (86_400 * 12, "12d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(secs(seconds)), text);
        }
        assert_eq!(latency(Duration::from_millis(412)), "412 ms");
    }

    #[test]
    fn waits_are_told_without_more_digits_than_anybody_counts() {
        let cases = [
            (0, "0.1s"),
            (20, "0.1s"),
            (412, "0.4s"),
            (949, "0.9s"),
            (950, "1s"),
            (992, "1s"),
            (999, "1s"),
            (4_600, "5s"),
        ];
        for (millis, text) in cases {
            assert_eq!(wait(Duration::from_millis(millis)), text, "{millis}");
        }
        assert_eq!(wait(secs(273)), "4m33s");
    }

    #[test]
    fn sizes_are_decimal_with_a_digit_after_the_point_below_ten() {
        let cases = [
            (0, "0 B"),
            (71, "71 B"),
            (999, "999 B"),
            (1000, "1.0 KB"),
            (3120, "3.1 KB"),
            (48_200, "48 KB"),
            (212_000, "212 KB"),
            (999_999, "1.0 MB"),
            (1_200_000_000, "1.2 GB"),
            (u64::MAX, "18447 PB"),
        ];
        for (size, text) in cases {
            assert_eq!(bytes(size), text, "{size}");
        }
    }

    #[test]
    fn counts_and_rates_never_claim_more_than_there_is() {
        assert_eq!([count(7), count(1204), count(1_000_000)], ["7", "1,204", "1,000,000"]);
        assert_eq!(percent(104, 109), "95.4%");
        assert_eq!([percent(7, 9), percent(2, 3), percent(1, 3), percent(1, 2)], ["77.8%", "66.7%", "33.3%", "50.0%"]);
        assert_eq!([percent(9994, 10_000), percent(9999, 10_000)], ["99.9%", "99.9%"]);
        assert_eq!([percent(3, 3), percent(0, 3), percent(0, 0)], ["100%", "0%", "0%"]);
    }

    #[test]
    fn a_moment_of_another_day_says_which() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-21T14:26:13Z");
        let cases = [
            ("2026-11-21T14:21:40Z", "14:21:40Z"),
            ("2026-11-20T14:21:40Z", "20 Nov 14:21Z"),
            ("2025-11-20T14:21:40Z", "2025-11-20"),
        ];
        for (then, text) in cases {
            assert_eq!(moment(at(then), now, &TimeZone::UTC), text);
            let there = TimeZone::posix("GMT0").unwrap();
            assert_eq!(moment(at(then), now, &there), text.trim_end_matches('Z'), "no sign on a zone of one's own");
        }
        assert_eq!(age(now, at("2026-11-21T14:21:40Z")), Duration::ZERO);
    }
}
