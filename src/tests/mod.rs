//! In-crate tests that need the insides.
mod screens;
