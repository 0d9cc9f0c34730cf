//! The only door to the outside: files of the workspace, environment variables, the clock, randomness.
//!
//! The pipeline takes a [`World`] and touches nothing else, so that it runs the same on a work tree, on a Git revision
//! and in a test. Lints ban the file system, the environment and the clock everywhere else. What lies in a workspace or
//! in a target is read and written through [`beneath`] alone; [`disk`] is for what the operator named.

pub mod allow;
pub mod beneath;
pub mod brought;
pub mod child;
pub mod disk;
pub mod git;
pub mod http;
pub mod process;
pub mod program;
pub mod revision;
pub mod scratch;
pub mod state;
mod system;

pub use revision::Revision;
pub use system::System;

/// Sees to it that the process has its provider of cryptography for TLS: ring.
pub fn tls() {
    // That one is there already is no error: it is this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Whether a host, as it stands in a URL without brackets, is this machine: the only one that is spoken to in clear.
pub fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder; never in a list of files.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link, whatever it points to: never followed.
    Link,
    /// A device, pipe or socket.
    Other,
}

/// A path below the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Relative to the workspace, `/` between segments. Bytes that are no UTF-8 come as U+FFFD, and `utf8` is false.
    pub path: String,
    /// Whether `path` is the exact name.
    pub utf8: bool,
    /// What stands there.
    pub kind: Kind,
}

/// Why a file was not read. Never quotes its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Nothing is there.
    Missing,
    /// A link, device, pipe, socket or folder.
    NotAFile,
    /// More bytes than were asked for at most.
    TooLarge,
    /// The operating system's words.
    Failed(String),
}

/// The outside, as the pipeline sees it. Paths are relative to the workspace with `/` between segments, and never
/// contain `..`.
pub trait World: Sync {
    /// Every file below `folder` (and `folder` itself, if it is no folder), sorted by path; empty where nothing is
    /// there. Links are listed, never followed; dotfiles are left out with all below them.
    fn list(&self, folder: &str) -> Result<Vec<Found>, ReadError>;

    /// The names of the folders at the top, whatever they hold, without dotfolders: for telling slips.
    fn folders(&self) -> Vec<String> {
        Vec::new()
    }

    /// The content of a regular file of at most `limit` bytes. No part of the path may be a link.
    fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, ReadError>;

    /// A variable of the process' environment; `None` where unset, empty or no UTF-8.
    fn variable(&self, name: &str) -> Option<String>;

    /// The time.
    fn now(&self) -> jiff::Timestamp;
}
