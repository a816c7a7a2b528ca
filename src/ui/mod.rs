//! How it looks: draws the app's model, returns nothing, changes nothing.

pub mod raw;
pub mod tree;
