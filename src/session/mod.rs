//! What both front ends work with: the dashboard, and the headless commands that follow an engine.

pub mod exporter;
pub mod lines;
pub mod names;
pub mod owners;
pub mod reload;
pub mod results;
