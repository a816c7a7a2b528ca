//! What the dashboard and the headless commands share: settings, jobs, tokens and store made ready for an engine, changes
//! of the jobs file, results written out.

pub mod batch;
pub mod error;
pub mod exporter;
mod file_name;
pub mod jsonl;
pub mod open;
pub mod owners;
pub mod part_file;
pub mod reload;
pub mod renew_fields;
pub mod results;
pub mod select;
pub mod settings;
pub mod signals;
pub mod watch_file;
