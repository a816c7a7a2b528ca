//! Large JSON: lexing, index, rows, folding, search and printing over bytes, never through a tree of values.

pub mod bits;
pub mod cursor;
pub mod index;
pub mod pointer;
pub mod pretty;
pub mod rows;
pub mod scan;
pub mod search;
pub mod shape;
pub mod text;
