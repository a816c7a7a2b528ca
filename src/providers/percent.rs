//! How far a job is, in the shapes in which services say it: a number, "75%", a fraction, or how many of how many.

use super::reply::{Object, number, text};
use crate::json::scan::{self, ValueKind};

/// Percent done. `scale` is what means whole; without one a number below 1 is a fraction, and any other is percent.
pub fn of(value: &[u8], scale: Option<f64>) -> Option<f64> {
    match scan::kind(value)? {
        ValueKind::Number => scaled(number(value)?, scale),
        ValueKind::String => of_text(&scan::string(value)?, scale),
        ValueKind::Object => {
            let object = Object::parse(value).ok()?;
            let count = |key: &str| number(text(object.get(key)?)?.as_bytes());
            let (current, total) = (count("current")?, count("total")?);
            if total > 0.0 { bounded(current / total * 100.0) } else { None }
        }
        ValueKind::Array | ValueKind::Bool | ValueKind::Null => None,
    }
}

/// The same of a text: with a percent sign it needs no scale.
pub fn of_text(text: &str, scale: Option<f64>) -> Option<f64> {
    let text = text.trim();
    match text.strip_suffix('%') {
        Some(signed) => bounded(number(signed.trim_end().as_bytes())?),
        None => scaled(number(text.as_bytes())?, scale),
    }
}

fn scaled(amount: f64, scale: Option<f64>) -> Option<f64> {
    bounded(match scale {
        Some(scale) => amount / scale * 100.0,
        None if amount < 1.0 => amount * 100.0,
        None => amount,
    })
}

/// Within 0 to 100, rounded so that 0.57 is 57 and not 56.99999999999999, and without a negative zero.
pub fn bounded(percent: f64) -> Option<f64> {
    (percent >= 0.0).then(|| (percent.min(100.0) * 1e9).round() / 1e9 + 0.0)
}
