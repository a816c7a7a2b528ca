//! Search over keys and values.
