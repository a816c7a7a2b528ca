//! The tables of a jobs file, one file each, and what their fields may be.

pub mod address;
pub mod commands;
pub mod field;
pub mod hooks;
pub mod jobs;
pub mod provider;
pub mod result_fields;
pub mod service;
pub mod team_store;
