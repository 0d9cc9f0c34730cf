//! The same work on every item of a list, on all cores where that is worth starting threads.

use rayon::prelude::*;

/// What one thread takes at least, so that handing it over costs less than doing it.
const PIECE: usize = 16;

/// `run` of each item and its index, in order. A list that would not be split anyway starts no thread.
pub fn map<T: Sync, R: Send>(items: &[T], run: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    if items.len() < 2 * PIECE {
        return items.iter().enumerate().map(|(index, item)| run(index, item)).collect();
    }
    items.par_iter().with_min_len(PIECE).enumerate().map(|(index, item)| run(index, item)).collect()
}

/// `run` of each item, until one fails. With one thread, it is that of the caller, in order.
///
/// # Errors
/// That of an item that failed.
pub fn try_each<T: Sync, E: Send>(items: &[T], run: impl Fn(&T) -> Result<(), E> + Sync + Send) -> Result<(), E> {
    if rayon::current_num_threads() == 1 { items.iter().try_for_each(run) } else { items.par_iter().try_for_each(run) }
}

/// Sets how many threads work, for the rest of the process. Without effect once they have begun.
pub fn limit(threads: usize) {
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
}
