//! In-crate tests that need the insides.

mod architecture;
mod bench;
mod engine;
mod screens;
pub mod wire_cases;
