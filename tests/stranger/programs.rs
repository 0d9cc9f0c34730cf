//! Programs that we start, and what they inherit.
