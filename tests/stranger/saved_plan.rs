//! A file in the repository that is named like an environment.
