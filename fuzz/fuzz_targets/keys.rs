//! Any text as a key of `config.toml`: what is one is spelt in one way only.

#![no_main]

use jobdeck::bench_api::Key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(key) = Key::parse(text) {
        let spelt = key.to_string();
        assert_eq!(Key::parse(&spelt).map(|key| key.to_string()), Some(spelt));
    }
});
