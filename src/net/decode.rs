//! Content-Encoding undone by ourselves, after the bytes as received are safe: a wrong label loses nothing.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// The longest body that decoding may come to: what would grow beyond it stays as received.
const LONGEST: u64 = 256 * 1024 * 1024;
/// How gzip begins.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// The body decoded by its Content-Encoding; None where it has none, is wrongly labelled, broken or a bomb: then the
/// bytes as received are the body. What begins as gzip does is tried as gzip whatever the label says: no JSON does.
pub fn decoded(encoding: Option<&str>, body: &Bytes) -> Option<Bytes> {
    decoded_within(LONGEST, encoding, body)
}

fn decoded_within(longest: u64, encoding: Option<&str>, body: &Bytes) -> Option<Bytes> {
    let codings = encoding.unwrap_or_default().split(',').map(|coding| coding.trim().to_ascii_lowercase());
    // Listed in the order in which they were applied.
    let undone = codings.rev().filter(|coding| !coding.is_empty() && coding != "identity").try_fold(None, {
        |inner: Option<Bytes>, coding| undone(longest, &coding, inner.as_ref().unwrap_or(body)).map(Some)
    });
    undone.flatten().or_else(|| if body.starts_with(GZIP) { undone_gzip(longest, body) } else { None })
}

fn undone(longest: u64, coding: &str, body: &Bytes) -> Option<Bytes> {
    match coding {
        "gzip" | "x-gzip" => undone_gzip(longest, body),
        "deflate" => read_bounded(longest, ZlibDecoder::new(body.as_ref()))
            .or_else(|| read_bounded(longest, DeflateDecoder::new(body.as_ref()))),
        _ => None,
    }
}

fn undone_gzip(longest: u64, body: &Bytes) -> Option<Bytes> {
    read_bounded(longest, MultiGzDecoder::new(body.as_ref()))
}

fn read_bounded(longest: u64, decoder: impl Read) -> Option<Bytes> {
    let mut out = Vec::new();
    decoder.take(longest + 1).read_to_end(&mut out).ok()?;
    (out.len() as u64 <= longest).then(|| Bytes::from(out))
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

    #[test]
    fn a_gzipped_body_is_decoded_and_a_wrongly_labelled_or_cut_one_stays_as_received() {
        let body = gzip(b"{}");
        assert_eq!(decoded(Some("GZIP "), &body), Some(Bytes::from_static(b"{}")));
        for label in [None, Some("identity, gzip"), Some("br"), Some("deflate")] {
            assert_eq!(decoded(label, &body), Some(Bytes::from_static(b"{}")), "{label:?}");
        }
        assert_eq!(decoded(Some("gzip, gzip"), &gzip(&body)), Some(Bytes::from_static(b"{}")));
        assert_eq!(decoded(None, &Bytes::from_static(b"{}")), None);
        assert_eq!(decoded(Some("gzip"), &Bytes::from_static(b"{\"status\":\"pending\"}")), None);
        assert_eq!(decoded(Some("gzip"), &body.slice(..body.len() - 3)), None);
        assert_eq!(decoded(Some("br"), &Bytes::from_static(b"\x8b\x00")), None);
    }

    #[test]
    fn a_decompression_bomb_stays_as_received() {
        let bomb = gzip(&vec![0; 1 << 20]);
        assert_eq!(decoded_within((1 << 20) - 1, Some("gzip"), &bomb), None);
        assert!(decoded_within(1 << 20, Some("gzip"), &bomb).is_some());
    }
}
