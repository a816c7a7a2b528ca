//! Sums of money as services write it: decimal text, added exactly.

/// Digits behind the point that are kept.
const SCALE: u32 = 18;

/// The sum of decimal numbers; one alone is given back digit for digit. Texts that are no numbers do not count. None
/// if nothing counts.
pub fn sum<'a>(costs: impl Iterator<Item = &'a str>) -> Option<String> {
    let costs: Vec<(&str, i128)> = costs.filter_map(|cost| Some((cost, parsed(cost)?))).collect();
    match costs.as_slice() {
        [] => None,
        [(alone, _)] => Some((*alone).trim().to_owned()),
        many => many.iter().try_fold(0_i128, |sum, (_, cost)| sum.checked_add(*cost)).map(written),
    }
}

/// A decimal number in units of 10^-18, further digits cut off. None if it is none, or is larger than money can be.
fn parsed(text: &str) -> Option<i128> {
    let text = text.trim();
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = || whole.bytes().chain(fraction.bytes());
    if all().next().is_none() || !all().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The value is `all digits` * 10^(exponent - digits behind the point).
    let shift = i64::from(exponent) - i64::try_from(fraction.len()).ok()? + i64::from(SCALE);
    let mut value = 0_i128;
    let kept = usize::try_from(i64::try_from(all().count()).ok()? + shift.min(0)).unwrap_or(0);
    for byte in all().take(kept) {
        value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
    }
    if value != 0 {
        for _ in 0..shift.max(0) {
            value = value.checked_mul(10)?;
        }
    }
    Some(if negative { -value } else { value })
}

fn written(value: i128) -> String {
    let unit = 10_u128.pow(SCALE);
    let (sign, magnitude) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
    let fraction = format!("{:018}", magnitude % unit);
    let text = format!("{sign}{}.{fraction}", magnitude / unit);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_added_digit_by_digit_and_one_alone_stays_as_it_came() {
        let cases: [(&[&str], Option<&str>); 10] = [
            (&["0.0068440"], Some("0.0068440")),
            (&["0.1", "0.2"], Some("0.3")),
            (&["1.2e-06", "1234.56789"], Some("1234.5678912")),
            (&["1E2", " 3 ", "-1.5"], Some("101.5")),
            (&["n/a", "0.5", ""], Some("0.5")),
            (&["NaN", "Infinity", "."], None),
            (&["1e400", "1"], Some("1")),
            (&["1e-400", "1"], Some("1")),
            (&["0e99999", "0"], Some("0")),
            (&[], None),
        ];
        for (costs, expected) in cases {
            assert_eq!(sum(costs.iter().copied()).as_deref(), expected, "{costs:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_a_sum_panic(costs in proptest::collection::vec("\\PC{0,9}|[0-9.eE+-]{0,30}", 0..4)) {
            let _ = sum(costs.iter().map(String::as_str));
        }
    }
}
