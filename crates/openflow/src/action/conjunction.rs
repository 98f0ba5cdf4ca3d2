//! `conjunction`: one dimension of a conjunctive match.

/// The flow is clause `clause` of `n_clauses` of conjunction `id`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conjunction {
    /// Conjunction id.
    pub id: u32,
    /// Clause, from 0.
    pub clause: u8,
    /// Number of clauses.
    pub n_clauses: u8,
}
