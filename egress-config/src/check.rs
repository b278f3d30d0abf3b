//! From texts to findings and resources.

mod dns;
mod effect;
mod identity;
mod resolve;
mod snat;
mod subnet;
mod vlan;

pub(crate) use resolve::{Index, Resolved};

use crate::code::{Code, Level};
use crate::decode::{Egress, Resources, decode};
use crate::diagnostic::Diagnostic;
use crate::plan::{Plan, PlanError};
use crate::report::{Finding, Report};
use crate::source::Sources;
use crate::tree::{build, split};

/// Reads all resources of `sources` and checks them, each alone and together.
#[must_use]
pub fn check(sources: &Sources) -> Checked {
    let mut report = Report::new(sources);
    let mut resources = Resources::default();
    for (source, text) in sources.all().iter().enumerate() {
        for document in split(&text.text) {
            let number = report.document(source, &document);
            match build(&document, number) {
                Ok(tree) => decode(&tree, &mut report, &mut resources),
                Err(fault) => {
                    resources.incomplete = true;
                    report.push(
                        "",
                        "",
                        Finding::new(Code::Syntax, fault.place, fault.message),
                    );
                }
            }
        }
    }
    identity::duplicates(&mut resources, &mut report);
    together(&resources, &mut report);
    Checked {
        diagnostics: report.finish(),
        resources,
    }
}

/// The checks that take more than one value.
fn together(resources: &Resources, report: &mut Report<'_>) {
    identity::unique(resources, report);
    vlan::conflicts(resources, report);
    snat::pools(resources, report);
    dns::zones(resources, report);
    let index = Index::new(resources);
    // A second egress of a namespace is an error already.
    let mut egresses = Vec::new();
    for egress in index.first_egresses() {
        let resolved = index.resolve(egress);
        resolve::references(&resolved, resources, report);
        dns::cache(&resolved, report);
        dns::reach(&resolved, report);
        subnet::slices(&resolved, report);
        subnet::overlaps(&resolved, report);
        snat::replicas(&resolved, report);
        vlan::replicas(&resolved, report);
        effect::combinations(&resolved, report);
        egresses.push(resolved);
    }
    dns::servers(&egresses, report);
    vlan::absent(&egresses, resources, report);
    identity::unreferenced(&egresses, resources, report);
}

/// The findings, and the resources that they are about.
#[derive(Debug, Clone)]
pub struct Checked {
    diagnostics: Vec<Diagnostic>,
    resources: Resources,
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
        self.errors() > 0
    }

    /// All resources of the four kinds, as `Kind namespace/name`, by kind.
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        let Resources {
            egresses,
            dnscaches,
            snatpools,
            vlans,
            incomplete: _,
        } = &self.resources;
        let egresses = egresses.iter().map(|egress| &egress.identity);
        egresses
            .chain(dnscaches.iter().map(|cache| &cache.identity))
            .chain(snatpools.iter().map(|pool| &pool.identity))
            .chain(vlans.iter().map(|vlan| &vlan.identity))
            .map(|identity| identity.label.as_str())
    }

    /// The F5SPKEgress resources as `namespace/name`, in the order of the texts.
    pub fn egresses(&self) -> impl Iterator<Item = String> {
        self.resources
            .egresses
            .iter()
            .map(|egress| egress.identity.qualified())
    }

    /// The plan of one replica (from 0) of the only egress.
    ///
    /// # Errors
    ///
    /// See [`PlanError`].
    pub fn plan(&self, replica: u32) -> Result<Plan, PlanError> {
        match self.resources.egresses.as_slice() {
            [] => self.plan_from(None, replica),
            [egress] => self.plan_from(Some(egress), replica),
            _ => Err(PlanError::SeveralEgresses {
                names: self.egresses().collect(),
            }),
        }
    }

    /// The plan of one replica (from 0) of the egress called `namespace/name`, or `name` where
    /// only one namespace has it.
    ///
    /// # Errors
    ///
    /// See [`PlanError`].
    pub fn plan_of(&self, name: &str, replica: u32) -> Result<Plan, PlanError> {
        let mut named =
            self.resources.egresses.iter().filter(|egress| {
                egress.identity.name == name || egress.identity.qualified() == name
            });
        match (named.next(), named.next()) {
            (None, _) => Err(PlanError::UnknownEgress {
                wanted: name.to_owned(),
            }),
            (Some(egress), None) => self.plan_from(Some(egress), replica),
            (Some(_), Some(_)) => Err(PlanError::SeveralEgresses {
                names: self.egresses().collect(),
            }),
        }
    }

    fn plan_from(&self, egress: Option<&Egress>, replica: u32) -> Result<Plan, PlanError> {
        match (self.errors(), egress) {
            (0, Some(egress)) => Plan::new(&Index::new(&self.resources).resolve(egress), replica),
            (0, None) => Err(PlanError::NoEgress),
            (count, _) => Err(PlanError::Faulty { count }),
        }
    }

    fn errors(&self) -> usize {
        self.diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.level == Level::Error)
            .count()
    }
}

#[cfg(test)]
mod tests;
