//! The dashboard in a pseudo-terminal, from outside: how it starts, ends, copies, and leaves the terminal behind.

#![expect(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test may say what it means; clippy knows that only of functions that are tests themselves"
)]

mod batch;
mod commands;
mod copying;
mod hangup;
mod hostile;
mod idle;
mod leaving;
mod looks;
mod mouse;
mod names;
mod notices;
mod pager;
mod pty;
mod reload;
mod reports;
mod service;
mod sizes;
mod suspend;
