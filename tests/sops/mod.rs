//! The sops document format, seen from outside.
mod data;
mod vectors;
