//! The same work on every item of a list, on all cores where that is worth starting threads.

use std::collections::HashMap;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::budget::{self, Most, Over};

/// What one thread takes at least, so that handing it over costs less than doing it.
const PIECE: usize = 16;

/// `run` of each item and its index, in order. A list that would not be split anyway starts no thread.
///
/// Work that costs something of a run's budget goes through [`within`].
pub fn map<T: Sync, R: Send>(items: &[T], run: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    if items.len() < 2 * PIECE {
        return items.iter().enumerate().map(|(index, item)| run(index, item)).collect();
    }
    items.par_iter().with_min_len(PIECE).enumerate().map(|(index, item)| run(index, item)).collect()
}

/// The same within the budget of the run. Where that ends, it ends at the item where it would in order.
///
/// # Errors
/// Where the budget ended.
pub fn within<T: Sync, R: Send>(items: &[T], run: impl Fn(usize, &T) -> R + Sync) -> Result<Vec<R>, Over> {
    let mut most = Most::default();
    let mut results = Vec::with_capacity(items.len());
    let shared = budget::share().filter(|_| items.len() >= 2 * PIECE);
    let done: Vec<_> = match &shared {
        Some(shared) => {
            let one = |(index, item)| if shared.is_over() { None } else { budget::one(shared, || run(index, item)) };
            items.par_iter().with_min_len(PIECE).enumerate().map(one).collect()
        }
        None => Vec::new(),
    };
    let mut done = done.into_iter();
    for (index, item) in items.iter().enumerate() {
        // What was given up because others used too much is done here, in order: the budget ends where it always does.
        let (result, over) = match done.next().flatten() {
            Some((result, paid)) => {
                let _ = budget::pay(paid);
                (result, most.count(index, paid))
            }
            None => most.run(index, || run(index, item)),
        };
        match over {
            Some(over) => return Err(over),
            None => results.push(result),
        }
    }
    Ok(results)
}

/// The first of each kind that threads come by: the others may use what of it is equal to theirs. Which one it is, is chance, and
/// must show in nothing.
pub struct First<'k, T>(HashMap<&'k str, OnceLock<T>>);

impl<'k, T: Clone> First<'k, T> {
    /// None yet of these kinds.
    pub fn new(kinds: impl Iterator<Item = &'k str>) -> Self {
        Self(kinds.map(|kind| (kind, OnceLock::new())).collect())
    }

    /// The first of a kind, if it is not this one.
    pub fn get(&self, kind: &str, one: &T) -> Option<&T> {
        let first = self.0.get(kind)?;
        first.get().or_else(|| first.set(one.clone()).err().and_then(|_| first.get()))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Cost, spend};

    #[test]
    fn e2_01_a_budget_ends_at_the_same_item_whatever_the_order_of_threads() {
        let limit = budget::LIMITS[Cost::Steps as usize].1;
        let items: Vec<u64> = (0..1000).map(|i| if i == 700 { limit / 2 } else { limit / 800 }).collect();
        let ended: Vec<_> = (0..50)
            .map(|_| {
                budget::begin();
                within(&items, |_, cost| spend(Cost::Steps, *cost)).map(|done| done.len())
            })
            .collect();
        // 0.5 of 800 eightieths before 700, half of all at 700, and what fits behind it.
        let Err(over) = ended[0] else { panic!("the budget was not used up") };
        assert_eq!((over.cost, over.limit, over.most), (Cost::Steps, limit, (700, limit / 2)));
        assert!(ended.iter().all(|one| *one == Err(over)), "{ended:?}");
        assert_eq!(over.at, 700, "700 times 1/800 and a half are more than one");
    }

    #[test]
    fn e2_01_what_fits_is_counted_whoever_does_it() {
        budget::begin();
        let items = vec![3_u64; 100];
        let done = within(&items, |_, cost| spend(Cost::Checks, *cost));
        assert_eq!(done.map(|done| done.len()), Ok(100));
        let left = budget::limit(Cost::Checks) - 300;
        assert!(spend(Cost::Checks, left) && !spend(Cost::Checks, 1));
        assert_eq!(budget::over(), Some(Cost::Checks));
    }
}
