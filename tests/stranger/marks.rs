//! Marks of secret fields that a schema hides.
