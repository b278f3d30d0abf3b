//! `plan PATH…`: what each replica does.

mod table;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use egress_config::{Checked, Plan, PlanError};

use super::render::{self, Format};

/// Show what each replica does under resource files.
///
/// Findings go to standard error. Exit code 2: no plan.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files, directories (their *.yaml, *.yml and *.json files) or - for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    chosen: Chosen,
    /// How plans are printed.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

/// Which plans of a set of resources.
#[derive(Debug, clap::Args)]
pub(crate) struct Chosen {
    /// Only this replica, from 0.
    #[arg(long, value_name = "N")]
    replica: Option<u32>,
    /// The F5SPKEgress, as name or namespace/name, where there are several.
    #[arg(long, value_name = "NAME")]
    egress: Option<String>,
}

impl Chosen {
    /// One replica of the only F5SPKEgress.
    pub(crate) const fn replica(number: u32) -> Self {
        Self {
            replica: Some(number),
            egress: None,
        }
    }

    /// One replica of one F5SPKEgress.
    pub(crate) const fn of(number: u32, egress: Option<String>) -> Self {
        Self {
            replica: Some(number),
            egress,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// A list of plans; one plan with --replica.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Without --replica, no more replicas than this are shown.
const MOST_REPLICAS: u32 = 256;

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let Ok(plans) = read(&arguments.paths, &arguments.chosen) else {
        return ExitCode::from(2);
    };
    let text = match arguments.output {
        Output::Table => table::table(&plans),
        Output::Json | Output::Yaml => {
            let value = match (plans.as_slice(), arguments.chosen.replica) {
                ([plan], Some(_)) => serde_json::to_value(plan),
                (plans, _) => serde_json::to_value(plans),
            };
            let value = match value {
                Ok(value) => value,
                Err(error) => {
                    eprintln!("error: {error}");
                    return ExitCode::from(2);
                }
            };
            match arguments.output {
                Output::Yaml => egress_config::schema::yaml(&value),
                Output::Json | Output::Table => format!("{value:#}\n"),
            }
        }
    };
    let _ = io::stdout().lock().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// There are no plans, and it has been told why.
#[derive(Debug)]
pub(crate) struct Told;

/// The chosen plans of one set of resources; findings go to standard error.
pub(crate) fn read(paths: &[PathBuf], chosen: &Chosen) -> Result<Vec<Plan>, Told> {
    let tell = |error: &dyn core::error::Error| {
        eprintln!("error: {error}");
        Told
    };
    let sources = render::read(paths).map_err(|error| tell(&error))?;
    let checked = egress_config::check(&sources);
    let mut err = io::stderr().lock();
    let colour = render::colour(&err);
    let findings: Vec<_> = checked
        .diagnostics()
        .iter()
        .filter(|finding| finding.level != egress_config::Level::Note)
        .cloned()
        .collect();
    let _ = render::findings(&mut err, &sources, &findings, Format::Text, colour);
    drop(err);
    plans(&checked, chosen).map_err(|error| tell(&error))
}

fn plans(checked: &Checked, chosen: &Chosen) -> Result<Vec<Plan>, PlanError> {
    let plan = |replica| match &chosen.egress {
        Some(name) => checked.plan_of(name, replica),
        None => checked.plan(replica),
    };
    if let Some(replica) = chosen.replica {
        return Ok(vec![plan(replica)?]);
    }
    let first = plan(0)?;
    let replicas = first.replicas.min(MOST_REPLICAS);
    let mut plans = vec![first];
    for replica in 1..replicas {
        plans.push(plan(replica)?);
    }
    Ok(plans)
}
