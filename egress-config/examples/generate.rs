//! Writes what is generated from the tables of parameters: `deploy/crds/*.yaml` and
//! `docs/parameters.md` of the directory given, which is the root of the repository.

use std::path::PathBuf;
use std::{env, fs, io};

use egress_config::schema;

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    let crds = root.join("deploy/crds");
    fs::create_dir_all(&crds)?;
    for definition in schema::definitions() {
        fs::write(
            crds.join(format!("{}.yaml", definition.name)),
            definition.yaml,
        )?;
    }
    fs::write(root.join("docs/parameters.md"), schema::parameters_page())
}
