//! The wire: one client that sends a request and returns a reply. Follows no redirect, decodes nothing.
