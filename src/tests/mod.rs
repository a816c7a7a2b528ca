//! In-crate tests that need the insides.

pub mod wire_cases;
