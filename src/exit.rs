//! The one table from outcome to exit code.
