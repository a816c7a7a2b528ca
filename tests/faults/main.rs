//! What happens when something breaks: the binary under signals, kills, full disks, hostile replies and prying eyes.
#![cfg(test)]

#[path = "../support/mod.rs"]
mod support;

mod disk;
mod endings;
mod hostile;
mod losses;
mod secrets;
