//! Who we are to a server, and how we know that it is the one.

use alloc::sync::Arc;
use std::fs;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::location::Server;
use super::wire::StoreError;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) user: Option<String>,
    /// Read at each connection, so that it may change.
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) database: u32,
    pub(crate) tls: Option<Tls>,
}

/// Files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    /// Who vouches for the server.
    pub(crate) ca: PathBuf,
    /// Our certificate and its key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
    /// The name in the server's certificate, if it is not the host of the URL.
    pub(crate) name: Option<String>,
}

impl Access {
    pub(crate) fn password(&self) -> Result<Option<String>, StoreError> {
        let Some(file) = &self.password_file else {
            return Ok(None);
        };
        let text = fs::read_to_string(file).map_err(|error| told(file, &error))?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }
}

impl Tls {
    /// A session with a server that is not begun yet.
    pub(crate) fn session(&self, server: &Server) -> Result<ClientConnection, StoreError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca)? {
            let added = roots.add(certificate);
            added.map_err(|error| told(&self.ca, &error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| StoreError::Tls(error.to_string()))?
            .with_root_certificates(roots);
        let config = match &self.client {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let private =
                    PrivateKeyDer::from_pem_file(key).map_err(|error| told(key, &error))?;
                let config = config.with_client_auth_cert(chain, private);
                config.map_err(|error| told(certificate, &error))?
            }
        };
        let name = self.name.as_ref().unwrap_or(&server.host).clone();
        let name =
            ServerName::try_from(name).map_err(|error| StoreError::Tls(error.to_string()))?;
        ClientConnection::new(Arc::new(config), name)
            .map_err(|error| StoreError::Tls(error.to_string()))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, StoreError> {
    let all = CertificateDer::pem_file_iter(file).map_err(|error| told(file, &error))?;
    let all: Vec<_> = all
        .collect::<Result<_, _>>()
        .map_err(|error| told(file, &error))?;
    if all.is_empty() {
        return Err(told(file, &"no certificate in it"));
    }
    Ok(all)
}

fn told(file: &Path, why: &dyn core::fmt::Display) -> StoreError {
    StoreError::File {
        file: file.display().to_string(),
        why: why.to_string(),
    }
}
