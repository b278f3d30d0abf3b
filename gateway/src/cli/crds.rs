//! `crds`: the custom resource definitions.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use egress_config::schema;

/// Print the custom resource definitions, for kubectl apply -f -.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write one file a definition into this directory.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let definitions = schema::definitions();
    let Some(directory) = &arguments.output else {
        let mut out = io::stdout().lock();
        for definition in &definitions {
            let _ = write!(out, "---\n{}", definition.yaml);
        }
        return ExitCode::SUCCESS;
    };
    for definition in &definitions {
        let path = directory.join(format!("{}.yaml", definition.name));
        if let Err(error) = std::fs::write(&path, &definition.yaml) {
            eprintln!("error: {}: {error}", path.display());
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
