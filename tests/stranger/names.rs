//! Names that are rules, paths or commands where they are printed.
