//! Any bytes under any Content-Encoding: decoding ends, without a panic and within bounds, and what was packed comes out.

#![no_main]

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use jobdeck::bench_api::decoded;
use libfuzzer_sys::fuzz_target;

const LONGEST: usize = 256 << 20;

fuzz_target!(|input: (&str, &[u8])| {
    let (label, body) = input;
    for label in [None, Some(label), Some("gzip"), Some("deflate"), Some("gzip, deflate")] {
        let out = decoded(label, &Bytes::copy_from_slice(body)).expect("memory takes everything");
        assert!(out.is_none_or(|out| out.bytes.len() <= LONGEST));
    }
    let fast = Compression::fast();
    let mut gzip = GzEncoder::new(Vec::new(), fast);
    let mut zlib = ZlibEncoder::new(Vec::new(), fast);
    let mut raw = DeflateEncoder::new(Vec::new(), fast);
    for encoder in [&mut gzip as &mut dyn Write, &mut zlib, &mut raw] {
        encoder.write_all(body).expect("memory takes everything");
    }
    let packed = [("gzip", gzip.finish()), ("deflate", zlib.finish())];
    for (label, packed) in packed {
        let out = decoded(Some(label), &Bytes::from(packed.expect("memory takes everything"))).expect("memory takes everything");
        assert_eq!(out.expect("a whole stream").bytes, body);
    }
    let _ = decoded(Some("deflate"), &Bytes::from(raw.finish().expect("memory takes everything")));
});
