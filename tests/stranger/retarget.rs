//! Secrets that stay where the place that they are sent to does not.
