//! Content-Encoding undone by ourselves, after the bytes as received are safe: a wrong label loses nothing.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// The longest body that decoding may come to: what would grow beyond it stays as received.
const LONGEST: u64 = 256 * 1024 * 1024;

/// The body decoded by its Content-Encoding; None where it has none, is wrongly labelled, broken or a bomb: then the
/// bytes as received are the body.
pub fn decoded(encoding: Option<&str>, body: &Bytes) -> Option<Bytes> {
    let encoding = encoding?.trim().to_ascii_lowercase();
    match encoding.as_str() {
        "gzip" | "x-gzip" => read_bounded(MultiGzDecoder::new(body.as_ref())),
        "deflate" => {
            read_bounded(ZlibDecoder::new(body.as_ref())).or_else(|| read_bounded(DeflateDecoder::new(body.as_ref())))
        }
        _ => None,
    }
}

fn read_bounded(decoder: impl Read) -> Option<Bytes> {
    let mut out = Vec::new();
    decoder.take(LONGEST + 1).read_to_end(&mut out).ok()?;
    (out.len() as u64 <= LONGEST).then(|| Bytes::from(out))
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
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let zeros = vec![0u8; 1 << 20];
        for _ in 0..257 {
            encoder.write_all(&zeros).unwrap();
        }
        assert_eq!(decoded(Some("gzip"), &Bytes::from(encoder.finish().unwrap())), None);
    }
}
