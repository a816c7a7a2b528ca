//! In-crate tests that need the insides.

mod architecture;
mod bench;
mod engine;
mod wire_cases;
