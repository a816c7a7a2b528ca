//! Any text as a description, and any response read by it: neither panics, and no token leaves its origin.
//!
//! An input is the description, a NUL, two bytes of HTTP code, and the body.

#![no_main]

use bytes::Bytes;
use jobdeck::bench_api::described_by;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(at) = data.iter().position(|byte| *byte == 0) else { return };
    let Ok(text) = std::str::from_utf8(&data[..at]) else { return };
    let Some((code, body)) = data[at + 1..].split_first_chunk::<2>() else { return };
    assert!(described_by(text, 100 + u16::from_le_bytes(*code) % 500, &Bytes::copy_from_slice(body)));
});
