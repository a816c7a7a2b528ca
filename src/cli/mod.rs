//! The headless commands put together, one file each.

pub mod add;
pub mod check;
pub mod init;
pub mod paths;
pub mod schema;
