//! A bundle of another history, signed and older.
