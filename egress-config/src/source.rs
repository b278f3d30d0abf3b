//! What is checked: named texts, in the order in which they were added.

use alloc::sync::Arc;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The texts of one command. Everything that one command names is checked together.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    texts: Vec<Source>,
}

/// One named text: a file, standard input, or any string.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) text: String,
}

/// A path could not be read.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file or directory could not be opened or read, or is no UTF-8 text.
    #[error("{}: {error}", path.display())]
    Io {
        /// The path as given, or the file inside the directory given.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// A directory holds no `*.yaml`, `*.yml` or `*.json` file.
    #[error("{}: no *.yaml, *.yml or *.json file in this directory", path.display())]
    Empty {
        /// The directory.
        path: PathBuf,
    },
}

impl Sources {
    /// No text yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text under the name that diagnostics show. A text may hold any number of documents.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.texts.push(Source {
            name: Arc::from(name.into()),
            text: text.into(),
        });
    }

    /// Reads files, and the `*.yaml`, `*.yml` and `*.json` files of directories (in the order of
    /// their names, not descending further).
    ///
    /// # Errors
    ///
    /// The first path that cannot be read, is not UTF-8, or is a directory without such a file.
    pub fn read<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, ReadError> {
        let mut sources = Self::new();
        for path in paths {
            sources.read_path(path.as_ref())?;
        }
        Ok(sources)
    }

    /// The text that a [`Span`](crate::Span) with this index points into.
    #[must_use]
    pub fn text(&self, source: usize) -> Option<&str> {
        self.texts.get(source).map(|source| source.text.as_str())
    }

    /// Names and texts, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .map(|source| (&*source.name, source.text.as_str()))
    }

    pub(crate) fn all(&self) -> &[Source] {
        &self.texts
    }

    /// Reads one more file, or the files of one more directory.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_path(&mut self, path: &Path) -> Result<(), ReadError> {
        let failed = |path: &Path, error| ReadError::Io {
            path: path.to_owned(),
            error,
        };
        if !fs::metadata(path)
            .map_err(|error| failed(path, error))?
            .is_dir()
        {
            let text = fs::read_to_string(path).map_err(|error| failed(path, error))?;
            self.add(path.to_string_lossy(), text);
            return Ok(());
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(|error| failed(path, error))? {
            let file = entry.map_err(|error| failed(path, error))?.path();
            let known = file.extension().and_then(|extension| extension.to_str());
            if matches!(known, Some("yaml" | "yml" | "json")) && !file.is_dir() {
                files.push(file);
            }
        }
        if files.is_empty() {
            return Err(ReadError::Empty {
                path: path.to_owned(),
            });
        }
        files.sort();
        for file in files {
            let text = fs::read_to_string(&file).map_err(|error| failed(&file, error))?;
            self.add(file.to_string_lossy(), text);
        }
        Ok(())
    }
}
