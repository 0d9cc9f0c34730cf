//! The forms that commands print in, as `--format` takes them.

/// A report: drawn for people, or JSON.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Report {
    /// For people.
    Human,
    /// For machines; its schema is in `schemas/output/`.
    Json,
}

/// A listing: a table, or JSON.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Listing {
    /// Columns of text.
    Table,
    /// For machines; its schema is in `schemas/output/`.
    Json,
}
