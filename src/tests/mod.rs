//! In-crate tests that need the insides.

mod architecture;
mod wire_cases;
