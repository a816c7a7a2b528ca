//! Any text as a filter, whole and while it is typed: no panic, errors fit to be shown, and a filter can be asked of a
//! job.

#![no_main]

use jobdeck::bench_api::{Filter, is_harmless};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for own in [&[][..], &["total", "vendor"]] {
        match Filter::parse_with(text, own) {
            Ok(filter) => assert_eq!(filter.source(), text),
            Err(error) => {
                assert!(text.get(error.span.clone()).is_some(), "{error:?}");
                assert!(error.message.chars().all(is_harmless), "{error:?}");
                let _ = (error.excerpt(text), Filter::without(text, &error, &[]));
            }
        }
    }
    let _ = Filter::parse_unfinished(text, &[]);
});
