//! The files themselves: where they are, what a jobs file is made of, how it is read, what changes.

pub mod paths;
pub mod reading;
pub mod several;
pub mod sources;
pub mod watch;
