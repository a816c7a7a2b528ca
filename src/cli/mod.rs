//! The headless commands put together, one file each.
