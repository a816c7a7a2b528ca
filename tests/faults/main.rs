//! What happens when something breaks: the binary under signals, kills, full disks, hostile replies and prying eyes.
#![cfg(test)] // Helpers of tests are tests to the lints too.

#[path = "../support/mod.rs"]
mod support;

mod disk;
mod endings;
mod hostile;
mod losses;
mod secrets;
