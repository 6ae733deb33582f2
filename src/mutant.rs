//! Faults that can be planted, one at a time, to see that a test catches each: a test that has never failed
//! proves nothing. They exist with the feature `mutants` only, which no release can be built with;
//! `tests/mutants/run` plants them.

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!("the feature `mutants` plants faults on demand; it is for tests and never for a release");

/// What can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// A push is answered before it is durable.
    AckBeforeSync,
    /// A resend of what is on its way to the disk is answered before that is durable.
    ResendBeforeSync,
    /// Nothing is synced.
    NoSync,
    /// Readers see what is not durable yet.
    RelayBeforeSync,
    /// After a restart a resend is not known.
    NoDedupAfterRestart,
    /// After a restart a refusal is not known.
    RefusalsForgotten,
    /// A stream follows from the head at which it is first asked, not from its snapshot.
    SubscribeAfterSnapshot,
    /// `after` leaves one entry out.
    AfterOffByOne,
    /// A lower priority overrules a higher one.
    PriorityReversed,
    /// A removal leaves nothing that later updates could meet.
    TombstoneLost,
    /// A log that is handed back is believed without its chain.
    ChainUnchecked,
    /// What a crash left of an append stays in the log.
    TailKept,
    /// A token never expires.
    NoExpiry,
    /// Viewers see everything.
    NothingPrivate,
    /// After a crash a log is continued as the page cache shows it.
    DoubtIgnored,
    /// A checkpoint is believed without its seal.
    CheckpointUnsealed,
}

/// Whether this fault is planted: never, without the feature.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub(crate) const fn planted(_: Mutant) -> bool {
    false
}

/// Whether the environment's `MUTANT` names this fault.
#[cfg(feature = "mutants")]
pub(crate) fn planted(mutant: Mutant) -> bool {
    static NAME: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| std::env::var("MUTANT").unwrap_or_default());
    *NAME == format!("{mutant:?}")
}
