//! jobdeck: a terminal dashboard that follows batches of hosted jobs without losing a result.

#![expect(dead_code, reason = "rooms are being furnished")]

mod app;
mod cli;
mod config;
mod demo;
mod domain;
mod engine;
mod exit;
mod json;
mod logging;
mod net;
mod providers;
mod store;
mod tui;
mod ui;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with these arguments (the first is the program's name) and says how it ended.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let _ = args;
    ExitCode::SUCCESS
}

/// What the benchmarks and fuzz targets need of the insides. No promise to anybody else.
#[doc(hidden)]
pub mod bench_api {
    pub use crate::app::raw::RawView;
    pub use crate::app::tree::{Fold, Found, Motion, TreeView};
    pub use crate::json::index::{Document, Node};
    pub use crate::json::pretty::pretty;
    pub use crate::json::{scan, search, text};
}
