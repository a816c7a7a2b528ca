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
    // Each can only fail if it was done before, which is as good.
    let _ = color_eyre::install();
    let _ = rustls::crypto::ring::default_provider().install_default();
    ExitCode::from(cli::run(args))
}
