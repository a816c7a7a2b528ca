//! Simulated services on loopback, with the real services' semantics.
