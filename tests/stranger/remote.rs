//! Stores and registries that answer without end, or send us elsewhere.
