//! What things are: plain data and pure rules. No I/O, no async, no terminal, no clock of its own.

pub mod attempt;
pub mod checksum;
pub mod clean;
pub mod clock;
pub mod cost;
pub mod durations;
pub mod fact;
pub mod files;
pub mod filter;
pub mod human;
pub mod id;
pub mod job;
pub mod note;
pub mod observation;
pub mod provider;
pub mod reading;
pub mod reason;
pub mod request;
pub mod response;
pub mod schedule;
pub mod secret;
pub mod service;
pub mod spread;
pub mod state;
pub mod stats;
pub mod timeline;
