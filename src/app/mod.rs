//! What the dashboard is showing. Pure: an event in, effects out.
