//! Why there is no plan.

/// There is no plan.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The resources have errors.
    #[error("the resources have errors ({count})")]
    Faulty {
        /// How many.
        count: usize,
    },
    /// No F5SPKEgress was given.
    #[error("no F5SPKEgress among the resources")]
    NoEgress,
    /// More than one F5SPKEgress was given, and none was named.
    #[error("several F5SPKEgress among the resources ({}): name one", names.join(", "))]
    SeveralEgresses {
        /// All of them, as `namespace/name`.
        names: Vec<String>,
    },
    /// No F5SPKEgress has the wanted name.
    #[error("no F5SPKEgress is called {wanted}")]
    UnknownEgress {
        /// The name, as given.
        wanted: String,
    },
    /// The egress has no such replica.
    #[error("no replica {wanted}: replicas are numbered from 0, and there are {replicas}")]
    NoSuchReplica {
        /// The wanted number.
        wanted: u32,
        /// How many there are.
        replicas: u32,
    },
}
