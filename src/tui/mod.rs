//! The dashboard put together: the loop, the terminal guard, effects.
