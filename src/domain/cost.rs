//! What jobs cost, in US dollars: decimal digits that are summed exactly.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

/// Units of a dollar: a millionth of a millionth.
const UNITS: i128 = 1_000_000_000_000;

/// Decimal places of [`UNITS`].
const PLACES: i32 = 12;

/// An amount of US dollars to twelve decimal places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cost(i128);

impl Cost {
    /// The amount in a text such as `0.0068440`, `1.2e-3` or `$4`; None if it is no number, or one that nobody pays.
    /// Digits beyond the twelfth decimal place are dropped.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let text = text.strip_prefix('$').unwrap_or(text);
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_number = !(whole.is_empty() && decimals.is_empty());
        if !is_number || !(-60..=20).contains(&exponent) || mantissa.len() > 60 {
            return None;
        }
        let mut units: i128 = 0;
        // Of each digit: how many places it is left of the last place that counts.
        let places = PLACES + exponent + i32::try_from(whole.len()).ok()? - 1;
        for (digit, place) in whole.chars().chain(decimals.chars()).zip((i32::MIN..=places).rev()) {
            let digit = i128::from(digit.to_digit(10)?);
            if let Ok(place) = u32::try_from(place)
                && digit > 0
            {
                units = units.checked_add(digit.checked_mul(10_i128.checked_pow(place)?)?)?;
            }
        }
        Some(Self(if negative { -units } else { units }))
    }

    /// The amount divided by a count; zero for none.
    pub fn per(self, count: usize) -> Self {
        i128::try_from(count).ok().filter(|count| *count > 0).map_or(Self(0), |count| Self(self.0 / count))
    }

    /// The amount multiplied by a count.
    pub fn times(self, count: i64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }

    /// The exact amount without a sign of currency, such as `4.31` or `0.006844`.
    pub fn digits(self) -> String {
        let (whole, rest) = (self.0.abs() / UNITS, self.0.abs() % UNITS);
        let sign = if self.0 < 0 { "-" } else { "" };
        let decimals = format!("{rest:012}");
        let decimals = decimals.trim_end_matches('0');
        if decimals.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
    }
}

/// As people read it: cents from a dollar on, otherwise three significant digits: `$1204.50`, `$4.31`, `$0.0412`.
impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.0.abs();
        let decimals = if units == 0 || units >= UNITS {
            2
        } else {
            let leading_zeros = PLACES - i32::try_from(units.to_string().len()).unwrap_or(PLACES);
            (leading_zeros + 3).clamp(2, PLACES)
        };
        let unit = 10_i128.pow(u32::try_from(PLACES - decimals).unwrap_or(0));
        let rounded = (units + unit / 2) / unit;
        let one = 10_i128.pow(u32::try_from(decimals).unwrap_or(0));
        let sign = if self.0 < 0 { "-" } else { "" };
        let width = usize::try_from(decimals).unwrap_or(2);
        f.pad(&format!("{sign}${}.{:0width$}", rounded / one, rounded % one))
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Cost {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), Self::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_read_digit_for_digit_and_shown_as_people_read_it() {
        let cases = [
            ("0.0068440", Some(("0.006844", "$0.00684"))),
            ("0.1", Some(("0.1", "$0.100"))),
            ("4.305", Some(("4.305", "$4.31"))),
            (" $1204.5 ", Some(("1204.5", "$1204.50"))),
            ("1.2e-3", Some(("0.0012", "$0.00120"))),
            ("12E2", Some(("1200", "$1200.00"))),
            ("0", Some(("0", "$0.00"))),
            ("-0.5", Some(("-0.5", "-$0.500"))),
            (".5", Some(("0.5", "$0.500"))),
            ("7.", Some(("7", "$7.00"))),
            ("0.9999", Some(("0.9999", "$1.000"))),
            ("1e-30", Some(("0", "$0.00"))),
            ("", None),
            (".", None),
            ("-", None),
            ("1e400", None),
            ("NaN", None),
            ("1,5", None),
            ("1.2.3", None),
        ];
        for (text, expected) in cases {
            let cost = Cost::parse(text);
            let shown = cost.map(|cost| (cost.digits(), cost.to_string()));
            assert_eq!(shown, expected.map(|(digits, shown)| (digits.to_owned(), shown.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_sum_is_exact() {
        let tenth = Cost::parse("0.1").unwrap();
        assert_eq!(std::iter::repeat_n(tenth, 3).sum::<Cost>().digits(), "0.3");
        assert_eq!(Cost::parse("1").unwrap().per(3).digits(), "0.333333333333");
        assert_eq!(tenth.per(0), Cost::default());
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_cost_panic(text in "\\PC{0,20}|[-$]?[0-9.]{0,40}[eE]?-?[0-9]{0,4}") {
            if let Some(cost) = Cost::parse(&text) {
                let _ = (cost.to_string(), cost.digits(), cost.per(7));
            }
        }
    }
}
