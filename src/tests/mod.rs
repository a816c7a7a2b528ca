//! In-crate tests that need the insides.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks out what it waits for")]

mod architecture;
mod bench;
mod clock;
mod dashboard;
mod engine;
mod network;
mod panics;
mod properties;
mod reload;
mod screens;
pub mod wire_cases;
mod wire_http;
