//! Any token and any bytes in any pieces: no spelling of the token that is masked comes out, nothing else is changed,
//! and the pieces make no difference.

#![no_main]

use jobdeck::bench_api::{Masking, Sink, Token};
use libfuzzer_sys::fuzz_target;

struct Taken(Vec<u8>);

impl Sink for Taken {
    fn begin(&mut self, _status: u16) {}

    fn push(&mut self, chunk: &[u8]) {
        self.0.extend_from_slice(chunk);
    }
}

fn masked<'a>(token: &Token, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, bool) {
    let mut masking = Masking::new(Taken(Vec::new()), token);
    pieces.for_each(|piece| masking.push(piece));
    let (taken, echoed) = masking.finish(false);
    (taken.0, echoed)
}

fuzz_target!(|input: (&str, &[u8], u8)| {
    let (text, around, size) = input;
    let Some(token) = Token::new(text) else { return };
    // An echo in the middle of whatever there is.
    let (before, after) = around.split_at(around.len() / 2);
    let bytes = [before, token.expose().as_bytes(), after].concat();
    let whole = masked(&token, std::iter::once(&bytes[..]));
    let pieces = masked(&token, bytes.chunks(usize::from(size) % 7 + 1));
    assert_eq!(whole, pieces);
    let (out, echoed) = whole;
    assert_eq!(out.len(), bytes.len());
    let secret = token.expose().as_bytes();
    if secret.len() >= 6 {
        assert!(echoed);
        // What is masked may spell a token that holds asterisks itself.
        assert!(!out.windows(secret.len()).any(|part| part == secret) || secret.contains(&b'*'));
    }
    assert!(out.iter().zip(&bytes).all(|(out, byte)| out == byte || *out == b'*'));
});
