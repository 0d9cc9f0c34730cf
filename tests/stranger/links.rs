//! Links that lead out of the workspace or the target, on reading and on writing.
