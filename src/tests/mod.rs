//! In-crate tests that need the insides.

mod wire_cases;
