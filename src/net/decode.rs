//! Content-Encoding undone by ourselves, after the bytes as received are safe: a wrong label loses nothing. Piece by piece,
//! so that a short body that becomes a long one takes no memory.

use std::cell::Cell;
use std::io::{self, BufReader, Read};

use bytes::Bytes;

use inflate::{Framing, Inflating};

mod inflate;

/// The longest body that decoding may come to: what would grow beyond it stays as received.
const LONGEST: u64 = 256 * 1024 * 1024;
/// How many codings may lie over one another.
const MOST_CODINGS: usize = 4;
/// How gzip begins.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// How much is decoded at once.
const PIECE: usize = 64 * 1024;

/// A body whose content coding was undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedBody {
    pub bytes: Bytes,
    /// What was odd about the coding though the body is whole.
    pub warning: Option<&'static str>,
}

/// That a body could be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded {
    /// What was odd about the coding though the body is whole.
    pub warning: Option<&'static str>,
}

/// Whether decoding is worth a try: by the label, or how the body starts.
pub fn may_be_coded(encoding: Option<&str>, start: &[u8]) -> bool {
    !codings(encoding, start).is_empty()
}

/// Decodes a body by its Content-Encoding into `take`. None where it has none, is wrongly labelled, cut short or a bomb:
/// then the bytes as received are the body, and what was taken is worth nothing. What begins as gzip does is tried as
/// gzip whatever the label says: no JSON does. Without a label zlib's beginning and checksum tell that it is that: a label
/// is lost where only a file is left. An error is that of `take`.
pub fn decode(
    encoding: Option<&str>,
    body: &[u8],
    take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Option<Decoded>> {
    // A bomb, or what is none of this coding, is found out before any of it is taken: none of it reaches the disk.
    match decode_within(LONGEST, encoding, body, |_| Ok(()))? {
        Some(_) => decode_within(LONGEST, encoding, body, take),
        None => Ok(None),
    }
}

/// The same into memory; an error where there is not enough of it.
pub fn decoded(encoding: Option<&str>, body: &Bytes) -> io::Result<Option<DecodedBody>> {
    decoded_within(LONGEST, encoding, body)
}

fn decoded_within(longest: u64, encoding: Option<&str>, body: &Bytes) -> io::Result<Option<DecodedBody>> {
    let mut out = Vec::new();
    let decoded = decode_within(longest, encoding, body, |piece| {
        out.try_reserve(piece.len())?;
        out.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(decoded.map(|Decoded { warning }| DecodedBody { bytes: out.into(), warning }))
}

fn decode_within(
    longest: u64,
    encoding: Option<&str>,
    body: &[u8],
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Option<Decoded>> {
    let warning = Cell::new(None);
    let Some(mut decoder) = decoder(longest, encoding, body, &warning) else { return Ok(None) };
    let mut piece = vec![0; PIECE];
    loop {
        match decoder.read(&mut piece) {
            Ok(0) => return Ok(Some(Decoded { warning: warning.get() })),
            Ok(read) => take(piece.get(..read).unwrap_or_default())?,
            Err(_) => return Ok(None),
        }
    }
}

/// The codings that lie over a body, the first first.
fn codings(encoding: Option<&str>, start: &[u8]) -> Vec<String> {
    let codings = encoding.unwrap_or_default().split(',').map(|coding| coding.trim().to_ascii_lowercase());
    let codings: Vec<String> = codings.filter(|coding| !coding.is_empty() && coding != "identity").collect();
    if start.starts_with(GZIP) && !matches!(codings.last().map(String::as_str), Some("gzip" | "x-gzip")) {
        return vec!["gzip".to_owned()];
    }
    if codings.is_empty() && inflate::is_zlib(start) {
        return vec!["deflate".to_owned()];
    }
    codings
}

/// What undoes the codings of a body, the last first, each to `longest` bytes at most; None where there are none, or some
/// that are not known.
fn decoder<'a>(
    longest: u64,
    encoding: Option<&str>,
    body: &'a [u8],
    warning: &'a Cell<Option<&'static str>>,
) -> Option<Box<dyn Read + 'a>> {
    let codings = codings(encoding, body);
    if codings.is_empty() || codings.len() > MOST_CODINGS {
        return None;
    }
    codings.iter().rev().try_fold(Box::new(body) as Box<dyn Read + 'a>, |inner, coding| {
        let framing = match coding.as_str() {
            "gzip" | "x-gzip" => Framing::Gzip,
            "deflate" => Framing::Deflate,
            _ => return None,
        };
        let from = Inflating::new(BufReader::new(inner), framing, warning);
        Some(Box::new(Bounded { from, left: longest }) as Box<dyn Read + 'a>)
    })
}

/// Reads so much and no more: what is longer is an error, not the end. Each layer has a bound, for what an inner one comes
/// to may be little or nothing.
struct Bounded<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(out)?;
        self.left = self.left.checked_sub(read as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        Bytes::from(encoder.finish().unwrap())
    }

    fn decoded(encoding: Option<&str>, body: &Bytes) -> Option<DecodedBody> {
        super::decoded(encoding, body).unwrap()
    }

    fn decoded_within(longest: u64, encoding: Option<&str>, body: &Bytes) -> Option<DecodedBody> {
        super::decoded_within(longest, encoding, body).unwrap()
    }

    fn clean(bytes: &'static [u8]) -> Option<DecodedBody> {
        Some(DecodedBody { bytes: Bytes::from_static(bytes), warning: None })
    }

    #[test]
    fn a_gzipped_body_is_decoded_and_a_wrongly_labelled_or_cut_one_stays_as_received() {
        let body = gzip(b"{}");
        assert_eq!(decoded(Some("GZIP "), &body), clean(b"{}"));
        for label in [None, Some("identity, gzip"), Some("br"), Some("deflate")] {
            assert_eq!(decoded(label, &body), clean(b"{}"), "{label:?}");
        }
        assert_eq!(decoded(Some("gzip, gzip"), &gzip(&body)), clean(b"{}"));
        assert_eq!(decoded(None, &Bytes::from_static(b"{}")), None);
        assert_eq!(decoded(Some("gzip"), &Bytes::from_static(b"{\"status\":\"pending\"}")), None);
        assert_eq!(decoded(Some("gzip"), &body.slice(..body.len() - 9)), None, "cut within the data");
        assert_eq!(decoded(Some("br"), &Bytes::from_static(b"\x8b\x00")), None);
    }

    #[test]
    fn gzip_is_decoded_as_far_as_it_is_whole_with_a_warning_for_what_is_missing_or_stands_behind_it() {
        let body = gzip(b"{\"n\":1}");
        let with = |rest: &[u8]| Bytes::from([body.as_ref(), rest].concat());
        let cases = [
            (body.slice(..body.len() - 1), true),
            (body.slice(..body.len() - 8), true),
            (with(b"\0\0\0"), true),
            (with(b"\n"), true),
            (with(b"<!-- served by a cache -->"), true),
            (with(&GZIP[..1]), true),
            (body.clone(), false),
        ];
        for (sent, warns) in cases {
            let decoded = decoded(Some("gzip"), &sent).unwrap();
            assert_eq!((decoded.bytes.as_ref(), decoded.warning.is_some()), (b"{\"n\":1}".as_ref(), warns), "{sent:?}");
        }
        let two = Bytes::from([gzip(b"{\"n\":").as_ref(), gzip(b"1}").as_ref()].concat());
        assert_eq!(decoded(Some("gzip"), &two), clean(b"{\"n\":1}"));
        let mut damaged = body.to_vec();
        let at = damaged.len() - 8;
        damaged[at] ^= 1;
        assert_eq!(decoded(Some("gzip"), &Bytes::from(damaged)), None, "a checksum that does not fit");
    }

    #[test]
    fn a_decompression_bomb_stays_as_received() {
        let bomb = gzip(&vec![0; 1 << 20]);
        assert_eq!(decoded_within((1 << 20) - 1, Some("gzip"), &bomb), None);
        assert!(decoded_within(1 << 20, Some("gzip"), &bomb).is_some());
    }

    #[test]
    fn no_layer_of_a_nested_bomb_goes_on_for_long_though_nothing_comes_out_of_it() {
        const LONGEST: usize = 100_000;
        let empty = gzip(b"");
        let named = [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0][..], &[b'x'; LONGEST]].concat();
        let more = [&[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff][..], &[b'x'; LONGEST]].concat();
        let stored = [0, 0, 0, 0xff, 0xff].repeat(LONGEST / 5 + 1);
        let cases = [
            ("gzip, gzip", gzip(&empty.repeat(LONGEST))),
            ("gzip, gzip", gzip(&[&gzip(b"{}"), &empty[..]].concat().repeat(LONGEST / 20))),
            ("gzip, gzip, gzip", gzip(&gzip(&empty.repeat(LONGEST)))),
            ("gzip, gzip", gzip(&named)),
            ("gzip, gzip", gzip(&[&empty[..], &named].concat())),
            ("gzip, gzip", gzip(&more)),
            ("deflate, gzip", gzip(&stored)),
        ];
        for (label, bomb) in cases {
            assert_eq!(decoded_within(LONGEST as u64, Some(label), &bomb), None, "{label}");
        }
        let fits = gzip(&[&gzip(b"{}"), &empty[..]].concat());
        assert_eq!(decoded_within(LONGEST as u64, Some("gzip, gzip"), &fits), clean(b"{}"));
    }

    #[test]
    fn what_may_be_coded_is_told_by_its_label_or_its_start() {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(b"{}").unwrap();
        let zlib = Bytes::from(zlib.finish().unwrap());
        let text = Bytes::from_static(b"x^2 + 1 = 0");
        let json = Bytes::from_static(b"{}");
        let packed = gzip(b"{}");
        let cases = [
            (None, &json, false, None),
            (Some("identity"), &json, false, None),
            (Some(" Identity, "), &json, false, None),
            (Some("gzip"), &json, true, None),
            (Some("br"), &json, true, None),
            (None, &packed, true, clean(b"{}")),
            (Some("identity"), &packed, true, clean(b"{}")),
            (Some("deflate"), &zlib, true, clean(b"{}")),
            (None, &zlib, true, clean(b"{}")),
            (None, &text, true, None),
        ];
        for (label, body, is_coded, becomes) in cases {
            assert_eq!((may_be_coded(label, body), decoded(label, body)), (is_coded, becomes), "{label:?} {body:?}");
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]
        #[test]
        fn whatever_the_label_and_the_bytes_decoding_ends_and_is_bounded(
            body in proptest::collection::vec(proptest::num::u8::ANY, 0..400),
            label in "((x-)?gzip|deflate|br|identity|[ -~]{0,6})(, ?((x-)?gzip|deflate))?",
            how in 0..4_u8,
            at in proptest::num::usize::ANY,
            byte in proptest::num::u8::ANY,
        ) {
            let whole = gzip(&body);
            let mut bytes = if how == 0 { body.clone() } else { whole.to_vec() };
            if let Some(at) = at.checked_rem(bytes.len()) {
                match how {
                    1 => bytes.truncate(at),
                    2 => bytes[at] = byte,
                    _ => bytes.extend_from_within(at..),
                }
            }
            for longest in [0, 100, LONGEST] {
                let decoded = decoded_within(longest, Some(&label), &Bytes::from(bytes.clone()));
                proptest::prop_assert!(decoded.is_none_or(|decoded| decoded.bytes.len() as u64 <= longest));
            }
            proptest::prop_assert_eq!(decoded(Some("gzip"), &whole), Some(DecodedBody { bytes: Bytes::from(body), warning: None }));
        }
    }
}
