//! Anything on the standard input of `add`: what is taken for an id is one word of visible characters, and what a
//! refusal says is harmless.

#![no_main]

use jobdeck::bench_api::{given_of_text, is_harmless, read_id};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match given_of_text(text) {
    Ok(given) => {
        for one in given {
            if let Ok(id) = read_id(&one.id, |_| false) {
                assert!(id.chars().all(|c| is_harmless(c) && !c.is_whitespace()), "{id:?}");
                assert_eq!(read_id(id, |_| false), Ok(id));
            }
        }
    }
    Err(refused) => assert!(refused.iter().flat_map(|line| line.chars()).all(is_harmless), "{refused:?}"),
});
