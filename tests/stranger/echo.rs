//! Messages that repeat what was typed: never a value that may be a secret.
