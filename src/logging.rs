//! Tracing to the rotated file in the state directory and to the log pane.
