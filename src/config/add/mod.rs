//! Jobs that are added to a jobs file: the ids as they are given, and the file that takes them.

pub mod append;
pub mod given;
pub mod id_list;
