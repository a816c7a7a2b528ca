//! Any text as `config.toml`: no panic, and errors that are fit to be shown.

#![no_main]

use std::path::Path;

use jobdeck::bench_api::{Key, UserActions, is_harmless, parse_user};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let names = ["next-problem", "copy-raw", "quit"];
    let own = |name: &str| vec![name.chars().take(1).collect::<String>()];
    let key = |text: &str| Key::parse(text).map(|key| key.to_string());
    let actions = UserActions { names: &names, own: &own, key: &key, clash: &|_, _| true };
    if let Err(error) = parse_user(text, Path::new("/home/config.toml"), &actions) {
        assert!(error.to_string().chars().all(|c| c == '\n' || is_harmless(c)), "{error:?}");
    }
});
