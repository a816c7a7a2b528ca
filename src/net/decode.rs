//! Content-Encoding undone by ourselves, after the bytes as received are safe: a wrong label loses nothing.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// The longest body that decoding may come to: what would grow beyond it stays as received.
const LONGEST: u64 = 256 * 1024 * 1024;

/// The body decoded by its Content-Encoding; None where it has none, is wrongly labelled, broken or a bomb: then the
/// bytes as received are the body.
pub fn decoded(encoding: Option<&str>, body: &Bytes) -> Option<Bytes> {
    decoded_within(LONGEST, encoding, body)
}

fn decoded_within(longest: u64, encoding: Option<&str>, body: &Bytes) -> Option<Bytes> {
    let encoding = encoding?.trim().to_ascii_lowercase();
    match encoding.as_str() {
        "gzip" | "x-gzip" => read_bounded(longest, MultiGzDecoder::new(body.as_ref())),
        "deflate" => read_bounded(longest, ZlibDecoder::new(body.as_ref()))
            .or_else(|| read_bounded(longest, DeflateDecoder::new(body.as_ref()))),
        _ => None,
    }
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
        assert_eq!(decoded(None, &body), None);
        assert_eq!(decoded(Some("gzip"), &Bytes::from_static(b"{\"status\":\"pending\"}")), None);
        assert_eq!(decoded(Some("gzip"), &body.slice(..body.len() - 3)), None);
        assert_eq!(decoded(Some("br"), &body), None);
    }

    #[test]
    fn a_decompression_bomb_stays_as_received() {
        let bomb = gzip(&vec![0; 1 << 20]);
        assert_eq!(decoded_within((1 << 20) - 1, Some("gzip"), &bomb), None);
        assert!(decoded_within(1 << 20, Some("gzip"), &bomb).is_some());
    }
}
