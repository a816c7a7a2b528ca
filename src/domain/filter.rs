//! The filter language of the list and of `--filter`.
