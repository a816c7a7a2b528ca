//! Large JSON: lexing, index, rows, folding, search and printing over bytes, never through a tree of values.

pub mod balanced_parens;
pub mod cursor;
pub mod index;
pub mod pointer;
pub mod pretty;
pub mod rank_select;
pub mod rows;
pub mod scan;
pub mod search;
pub mod text;
