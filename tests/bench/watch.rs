//! How long something takes: on the wall, and in all threads of this process. On a machine that others use too, the
//! second is the steadier one.

use std::fs;
use std::time::{Duration, Instant};

/// What something took.
#[derive(Clone, Copy, Default)]
pub(crate) struct Time {
    /// From start to end.
    pub(crate) wall: Duration,
    /// On the processors; zero where the system doesn't tell.
    pub(crate) processors: Duration,
}

/// A start.
pub(crate) struct Watch {
    wall: Instant,
    processors: Duration,
}

impl Watch {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self { processors: processors(), wall: Instant::now() }
    }

    /// What it took since.
    pub(crate) fn elapsed(&self) -> Time {
        let wall = self.wall.elapsed();
        Time { wall, processors: processors().saturating_sub(self.processors) }
    }
}

/// Linux counts the nanoseconds of each thread; `getrusage` would need another crate.
fn processors() -> Duration {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let spent = |thread: fs::DirEntry| -> Option<u64> {
        fs::read_to_string(thread.path().join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    Duration::from_nanos(threads.filter_map(spent).sum())
}
