//! Programs of the user's own, run beside the polls: commands over jobs, and hooks at events. They delay no poll and no save, never see a
//! shell, and outlive nothing.

pub mod batch;
pub mod hooks;
mod process;
mod values;

pub use values::clean_up;
