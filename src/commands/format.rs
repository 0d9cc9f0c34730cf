//! The forms that commands print in, as `--format` takes them.

/// A report: drawn for people, or JSON.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Report {
    /// For people.
    Human,
    /// For machines; its schema is in `schemas/output/`.
    Json,
}

/// A report of problems.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Problems {
    /// For people.
    Human,
    /// A line each.
    Concise,
    /// For machines; its schema is in `schemas/output/`.
    Json,
    /// Workflow commands of GitHub Actions, which become annotations.
    Github,
}

/// A listing: a table, or JSON.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Listing {
    /// Columns of text.
    Table,
    /// For machines; its schema is in `schemas/output/`.
    Json,
}
