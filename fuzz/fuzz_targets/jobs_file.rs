//! Any text as a jobs file: it is read without a panic, and its errors are fit to be shown.

#![no_main]

use std::collections::HashSet;
use std::path::Path;

use jobdeck::bench_api::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let path = Path::new("/batch/jobs.toml");
    let read = parse(text, path);
    match &read {
        Ok(file) => {
            let keys: HashSet<_> = file.jobs.iter().map(|job| &job.key).collect();
            assert_eq!(keys.len(), file.jobs.len());
            for job in &file.jobs {
                let service = file.services.iter().find(|service| service.name == job.service).expect("its service");
                assert_eq!((service.provider.name(), &service.endpoint), (job.key.provider, &job.key.endpoint));
                assert!(!job.key.id.is_empty() && job.key.id.trim() == job.key.id);
            }
        }
        Err(error) => {
            assert!(!error.problems.is_empty());
            assert!(!error.to_string().chars().any(|c| c.is_control() && c != '\n'), "{error:?}");
        }
    }
});
