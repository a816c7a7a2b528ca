//! What happens when something breaks: the binary under signals, kills, full disks, hostile replies and prying eyes.
#![cfg(test)] // Helpers of tests are tests to the lints too.

#[path = "../support/http2.rs"]
mod http2;
#[path = "../terminal/pty.rs"]
#[expect(dead_code, reason = "what the dashboard's own tests need too")]
mod pty;
#[path = "../terminal/service.rs"]
#[expect(dead_code, reason = "likewise")]
mod service;
#[path = "../support/mod.rs"]
mod support;

mod commands;
mod disk;
mod endings;

mod exporting;
mod forgetting;
mod going_away;
mod hooks;
mod hooks_killed;
mod hostile;
mod losses;
mod retrieve;
mod screen;
mod secrets;
mod starts;
mod unread;
