//! An excuse excuses nothing.
//!
//! The comment `# tieline: allow CODE reason` stands on a line where that rule finds nothing, names a rule that does not exist, or
//! gives no reason. Faults that stop a compile can't be excused.
//!
//! ```yaml
//! port: 5432   # tieline: allow secret-shaped-value
//! ```
//!
//! Instead, remove the comment; or put it on the line that it is about, or alone on the line above, with a reason.
