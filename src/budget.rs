//! What one run may use, counted where the work is done: an input costs what it says, and no more.
//!
//! Every limit is an amount that any workspace has, and more for each byte that was read: work that grows faster than
//! what it is about ends with an error. [`crate::parallel::within`] shares a budget among threads so that it ends at the
//! same item whatever their order.

use std::cell::RefCell;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::diagnostic::{Diagnostic, code};
use crate::span::Span;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Values of trees in memory: nodes of YAML with aliases expanded, and every 64 bytes that an alias or an expression
    /// puts in a place.
    Values,
    /// Steps of expressions and policies, and the bytes that go through their filters.
    Steps,
    /// Each time that a connector schema looks at a value, at a byte that it matches with a pattern, or at a subschema.
    Checks,
}

/// How many kinds there are.
const KINDS: usize = 3;

/// What a run may use whatever it reads, and for how many bytes of input each further unit comes (or how many units for
/// a byte).
pub const LIMITS: [(Cost, u64, u64, u64); KINDS] =
    [(Cost::Values, 1_000_000, 1, 8), (Cost::Steps, 20_000_000, 200, 1), (Cost::Checks, 20_000_000, 200, 1)];

impl Cost {
    /// What it counts, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Values => "values",
            Self::Steps => "expression steps",
            Self::Checks => "schema checks",
        }
    }
}

/// The budget of a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// What was used up.
    pub cost: Cost,
    /// How much there was of it.
    pub limit: u64,
    /// The index of the item at which it ended.
    pub at: usize,
    /// The index of the item that used most of it, up to there, and how much.
    pub most: (usize, u64),
}

impl Over {
    /// What to tell; `what` is the item that used most, which stands at `span`.
    pub fn told(&self, span: Span, what: impl Display) -> Diagnostic {
        let (_, most) = self.most;
        let told = told(self.cost, span).label(format!("{what} takes {} of them", grouped(most.min(self.limit))));
        Diagnostic { message: message(self.cost, self.limit), ..told }
    }
}

/// What to tell of a budget that ended here.
pub fn told(cost: Cost, span: Span) -> Diagnostic {
    Diagnostic::error(code::OVER_BUDGET, span, message(cost, limit(cost)))
        .help("make this file smaller, or split the workspace; `tieline rule show over-budget` says what is counted")
}

/// What is said of a budget that ended.
pub fn message(cost: Cost, limit: u64) -> String {
    format!("this run takes more than {} {}", grouped(limit), cost.words())
}

/// A number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// What is used here, on this thread.
#[derive(Clone, Debug)]
struct Meter {
    used: [u64; KINDS],
    limit: [u64; KINDS],
    /// What all threads that work on the same list have used, where this is one of them.
    shared: Option<Arc<Shared>>,
    /// What isn't in there yet.
    pending: [u64; KINDS],
}

/// What was used by all who work on a list.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    used: [AtomicU64; KINDS],
    limit: [u64; KINDS],
}

/// Units that a thread may keep to itself before it tells the others.
const PIECE: u64 = 4096;

thread_local! {
    static METER: RefCell<Meter> = const { RefCell::new(Meter {
        used: [0; KINDS],
        // Outside of a run nothing is bounded.
        limit: [u64::MAX; KINDS],
        shared: None,
        pending: [0; KINDS],
    }) };
}

/// Begins a run on this thread: nothing is used.
pub fn begin() {
    let limit = LIMITS.map(|(_, base, ..)| base);
    METER.set(Meter { used: [0; KINDS], limit, shared: None, pending: [0; KINDS] });
}

/// Raises the limits for what was read.
pub fn read(bytes: u64) {
    METER.with_borrow_mut(|meter| {
        for (limit, (_, _, units, per)) in meter.limit.iter_mut().zip(LIMITS) {
            *limit = limit.saturating_add(bytes.saturating_mul(units) / per);
        }
    });
}

/// Counts. False where the budget is used up: then the work ends here, whatever comes of it.
#[must_use]
pub fn spend(cost: Cost, amount: u64) -> bool {
    METER.with_borrow_mut(|meter| meter.spend(cost as usize, amount))
}

/// What is used up, if anything is.
pub fn over() -> Option<Cost> {
    METER.with_borrow(|meter| LIMITS.map(|(cost, ..)| cost).into_iter().find(|cost| meter.is_over(*cost as usize)))
}

/// The limit of a cost, as it is by now.
pub fn limit(cost: Cost) -> u64 {
    METER.with_borrow(|meter| meter.limit[cost as usize])
}

/// Runs something that is kept for others to use, and gives what it cost. Who uses it pays ([`pay`]), whoever came first.
pub fn aside<T>(run: impl FnOnce() -> T) -> (T, Paid) {
    let fresh =
        METER.with_borrow(|meter| Meter { used: [0; KINDS], shared: None, pending: [0; KINDS], ..meter.clone() });
    let saved = METER.replace(fresh);
    let result = run();
    (result, Paid(METER.replace(saved).used))
}

/// What something cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paid([u64; KINDS]);

/// Counts what somebody else may have done already. False where the budget is used up.
#[must_use]
pub fn pay(paid: Paid) -> bool {
    let counted = LIMITS.map(|(cost, ..)| spend(cost, paid.0[cost as usize]));
    counted.into_iter().all(|within| within)
}

impl Meter {
    fn spend(&mut self, kind: usize, amount: u64) -> bool {
        self.used[kind] = self.used[kind].saturating_add(amount);
        if let Some(shared) = &self.shared {
            self.pending[kind] = self.pending[kind].saturating_add(amount);
            if self.pending[kind] >= PIECE && !shared.add(kind, std::mem::take(&mut self.pending[kind])) {
                self.limit[kind] = 0;
            }
        }
        !self.is_over(kind)
    }

    fn is_over(&self, kind: usize) -> bool {
        self.used[kind] > self.limit[kind]
    }
}

impl Shared {
    fn add(&self, kind: usize, amount: u64) -> bool {
        let before = self.used[kind].fetch_add(amount, Ordering::Relaxed);
        before.saturating_add(amount) <= self.limit[kind]
    }

    /// Whether all of them together used up what there was.
    pub(crate) fn is_over(&self) -> bool {
        self.used.iter().zip(self.limit).any(|(used, limit)| used.load(Ordering::Relaxed) > limit)
    }
}

/// What is left here, to be shared; `None` where this is shared work already.
pub(crate) fn share() -> Option<Arc<Shared>> {
    METER.with_borrow(|meter| {
        let left = std::array::from_fn(|kind| meter.limit[kind].saturating_sub(meter.used[kind]));
        meter.shared.is_none().then(|| Arc::new(Shared { used: Default::default(), limit: left }))
    })
}

/// Runs one item of a list that is shared. `None` where it was not done to its end: the budget was used up meanwhile.
pub(crate) fn one<T>(shared: &Arc<Shared>, run: impl FnOnce() -> T) -> Option<(T, Paid)> {
    let meter = Meter { used: [0; KINDS], limit: shared.limit, shared: Some(Arc::clone(shared)), pending: [0; KINDS] };
    let saved = METER.replace(meter);
    let result = run();
    let mut meter = METER.replace(saved);
    for kind in 0..KINDS {
        let pending = std::mem::take(&mut meter.pending[kind]);
        if pending > 0 {
            let _ = shared.add(kind, pending);
        }
    }
    let done = (0..KINDS).all(|kind| !meter.is_over(kind));
    done.then_some((result, Paid(meter.used)))
}

/// Who used most of each cost, item by item.
#[derive(Default)]
pub(crate) struct Most([(usize, u64); KINDS]);

impl Most {
    /// Counts an item that was done elsewhere.
    pub(crate) fn count(&mut self, at: usize, paid: Paid) -> Option<Over> {
        for kind in 0..KINDS {
            if paid.0[kind] > self.0[kind].1 {
                self.0[kind] = (at, paid.0[kind]);
            }
        }
        let cost = over()?;
        Some(Over { cost, limit: limit(cost), at, most: self.0[cost as usize] })
    }

    /// Runs an item here, and counts it.
    pub(crate) fn run<T>(&mut self, at: usize, run: impl FnOnce() -> T) -> (T, Option<Over>) {
        let before = METER.with_borrow(|meter| meter.used);
        let result = run();
        let after = METER.with_borrow(|meter| meter.used);
        let paid = Paid(std::array::from_fn(|kind| after[kind] - before[kind]));
        (result, self.count(at, paid))
    }
}
