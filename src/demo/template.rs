//! The placeholders of the scenario texts: `%{…}` filled in from a job's own random numbers.

use std::fmt::Write as _;

use fastrand::Rng;

/// The text with every placeholder filled in: `n` is the job's number, `i` that of the file or row, from 1.
/// One that means nothing stays as it is.
pub fn fill(text: &str, rng: &mut Rng, n: usize, i: usize) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("%{") {
        out.push_str(before);
        let Some((spec, tail)) = after.split_once('}') else {
            out.push_str("%{");
            rest = after;
            continue;
        };
        match value(spec, rng, n, i) {
            Some(value) => out.push_str(&value),
            None => {
                let _ = write!(out, "%{{{spec}}}");
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// So many lower-case hexadecimal digits.
pub fn hex(rng: &mut Rng, digits: usize) -> String {
    (0..digits).filter_map(|_| char::from_digit(rng.u32(0..16), 16)).collect()
}

/// A random (version 4) UUID.
pub fn uuid(rng: &mut Rng) -> String {
    let high = rng.u64(..) & 0xffff_ffff_ffff_0fff | 0x4000;
    let low = rng.u64(..) & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// A number of the range.
pub fn draw([low, high]: [usize; 2], rng: &mut Rng) -> usize {
    rng.usize(low..=high.max(low))
}

fn value(spec: &str, rng: &mut Rng, n: usize, i: usize) -> Option<String> {
    match spec {
        "n" => return Some(n.to_string()),
        "n4" => return Some(format!("{n:04}")),
        "i" => return Some(i.to_string()),
        _ => {}
    }
    if let Some(digits) = spec.strip_prefix("hex") {
        return digits.parse().ok().map(|digits| hex(rng, digits));
    }
    if spec.contains('|') {
        return rng.choice(spec.split('|').collect::<Vec<_>>()).map(str::to_owned);
    }
    let (low, high) = spec.split_once('-')?;
    match low.split_once('.') {
        None => {
            let (from, to): (u64, u64) = (low.parse().ok()?, high.parse().ok()?);
            (from <= to).then(|| rng.u64(from..=to).to_string())
        }
        Some((_, decimals)) => {
            let (from, to): (f64, f64) = (low.parse().ok()?, high.parse().ok()?);
            Some(format!("{:.*}", decimals.len(), from + rng.f64() * (to - from)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_becomes_a_number_a_choice_or_digits_and_an_unknown_one_stays() {
        let mut rng = Rng::with_seed(7);
        assert_eq!(fill("%{n} %{n4} %{i} %{what} %{ 100% {}", &mut rng, 12, 3), "12 0012 3 %{what} %{ 100% {}");
        for _ in 0..200 {
            let number: u32 = fill("%{3-9}", &mut rng, 0, 0).parse().unwrap();
            assert!((3..=9).contains(&number));
            let decimal = fill("%{1.00-2.00}", &mut rng, 0, 0);
            assert_eq!(decimal.len(), 4);
            assert!(["a", "b"].contains(&fill("%{a|b}", &mut rng, 0, 0).as_str()));
            assert!(fill("%{hex8}", &mut rng, 0, 0).chars().all(|c| c.is_ascii_hexdigit()));
        }
    }

    #[test]
    fn an_execution_id_is_a_random_uuid() {
        let id = uuid(&mut Rng::with_seed(1));
        assert_eq!(id.len(), 36);
        assert_eq!(id.chars().nth(14), Some('4'));
        assert!(id.chars().nth(19).is_some_and(|digit| "89ab".contains(digit)));
    }
}
