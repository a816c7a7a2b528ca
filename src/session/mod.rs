//! What both front ends work with: the dashboard, and the headless commands that follow an engine.

pub mod exporter;
pub mod file_name;
pub mod jsonl;
pub mod owners;
pub mod reload;
pub mod results;
