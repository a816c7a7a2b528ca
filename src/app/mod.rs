//! What the dashboard is showing. Pure: an event in, effects out.

pub mod raw;
pub mod tree;
