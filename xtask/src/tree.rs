//! The work tree: where it is, where builds go, which source files it holds.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The work tree that this program was built from.
pub(crate) struct Tree {
    /// Folder of the root manifest.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds; nested workspaces share it, so that dependencies are built once.
    pub(crate) target: PathBuf,
}

impl Tree {
    /// Finds the tree from the folder of this crate, as cargo names it when it runs the program: two
    /// clones may share a target folder.
    pub(crate) fn here() -> Result<Self, String> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .ok_or("xtask has no parent folder")?
            .to_path_buf();
        if !root.join("Cargo.toml").is_file() {
            return Err(format!(
                "{} is gone: run `cargo xtask` inside a work tree",
                root.display()
            ));
        }
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => env::current_dir()
                .map_err(|error| format!("no current folder: {error}"))?
                .join(folder),
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// The text of a file of the tree.
    pub(crate) fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.root.join(path)).map_err(|error| format!("{path}: {error}"))
    }

    /// Files with one of these extensions, relative to the root, in order of their paths;
    /// build output and hidden folders left out, but for `.ci` and `.cargo`.
    pub(crate) fn files(&self, extensions: &[&str]) -> Result<Vec<PathBuf>, String> {
        let mut found = Vec::new();
        self.collect(&self.root, extensions, &mut found)?;
        found.sort();
        Ok(found)
    }

    fn collect(
        &self,
        folder: &Path,
        extensions: &[&str],
        found: &mut Vec<PathBuf>,
    ) -> Result<(), String> {
        let at = |error| format!("{}: {error}", folder.display());
        for entry in fs::read_dir(folder).map_err(at)? {
            let path = entry.map_err(at)?.path();
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if path.is_dir() {
                let skip = matches!(name, "target" | "corpus" | "artifacts" | "coverage")
                    || (name.starts_with('.') && !matches!(name, ".ci" | ".cargo"))
                    || path == self.target;
                if !skip {
                    self.collect(&path, extensions, found)?;
                }
                continue;
            }
            let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            if extensions.contains(&extension)
                && let Ok(relative) = path.strip_prefix(&self.root)
            {
                found.push(relative.to_path_buf());
            }
        }
        Ok(())
    }
}
