//! Any key and value of a file: what may be shown in an error looks like no secret.

#![no_main]

use jobdeck::bench_api::config_names;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (key, value) = input;
    let _ = config_names::meant(key, config_names::SERVICE);
    if config_names::may_be_shown(key) {
        assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'), "{key:?}");
    }
    if config_names::value_may_be_shown("provider", value) {
        assert!(value.len() <= 24 && value.chars().filter(char::is_ascii_digit).count() <= 2, "{value:?}");
    }
});
