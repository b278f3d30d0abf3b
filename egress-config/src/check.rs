//! From texts to findings and resources.

use crate::code::Level;
use crate::diagnostic::Diagnostic;
use crate::plan::{Plan, PlanError};
use crate::source::Sources;

/// Reads all resources of `sources` and checks them, each alone and together.
#[must_use]
pub fn check(_sources: &Sources) -> Checked {
    Checked {
        diagnostics: Vec::new(),
    }
}

/// The findings, and the resources that they are about.
#[derive(Debug, Clone)]
pub struct Checked {
    diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// Everything found, by source and place.
    #[must_use]
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Whether a finding is an error: then there is no plan.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|diagnostic| diagnostic.level == Level::Error)
    }

    /// The plan of one replica (from 0) of the only egress.
    ///
    /// # Errors
    ///
    /// See [`PlanError`].
    pub fn plan(&self, _replica: u32) -> Result<Plan, PlanError> {
        Err(PlanError::NoEgress)
    }

    /// The plan of one replica of the egress called `name` or `namespace/name`.
    ///
    /// # Errors
    ///
    /// See [`PlanError`].
    pub fn plan_of(&self, name: &str, _replica: u32) -> Result<Plan, PlanError> {
        Err(PlanError::UnknownEgress {
            wanted: name.to_owned(),
        })
    }
}
