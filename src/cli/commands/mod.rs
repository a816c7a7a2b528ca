//! The commands, one file each; `cli::command` says which is run.

pub mod add;
pub mod batches;
pub mod check;
mod check_response;
pub mod compare;
pub mod completions;
pub mod dashboard;
pub mod demo;
pub mod export;
pub mod forget;
pub mod init;
pub mod keys;
pub mod man;
pub mod once;
pub mod paths;
pub mod providers;
pub mod reference;
pub mod report;
pub mod run;
pub mod schema;
pub mod show;
pub mod stats;
pub mod status;
pub mod store;
pub mod watch;
