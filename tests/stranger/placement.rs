//! Plaintext in documents that take no part in anything.
