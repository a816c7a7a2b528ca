//! In-crate tests that need the insides.

mod architecture;
mod bench;
mod engine;
pub mod wire_cases;
