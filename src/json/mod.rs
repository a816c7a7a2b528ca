//! Large JSON: lexing, index, rows, folding, search and printing over bytes, never through a tree of values.

pub mod scan;
