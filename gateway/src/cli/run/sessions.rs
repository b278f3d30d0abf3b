//! Sessions between two lives of the process.

use core::time::Duration;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use egress_gateway::Gateway;
use snatpool::ExportCursor;

/// In front of each piece: its length.
const LENGTH: usize = 4;
const PIECE: usize = 1 << 17;

/// Writes all sessions to `path`, whole or not at all; gives how many.
pub(super) fn save(path: &Path, now: Duration, gateway: &Gateway) -> io::Result<usize> {
    let new = path.with_extension("new");
    // It tells who spoke to whom: only its owner reads it, and none is taken that others have made.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    let mut file = io::BufWriter::new(file);
    let mut piece = vec![0; PIECE];
    let mut cursor = ExportCursor::default();
    while !cursor.is_done() {
        let length = gateway.export_sessions(now, &mut cursor, &mut piece);
        if length > 0 {
            let prefix = u32::try_from(length).unwrap_or(u32::MAX);
            file.write_all(&prefix.to_be_bytes())?;
            file.write_all(&piece[..length])?;
        }
    }
    file.into_inner()?.sync_all()?;
    fs::rename(&new, path)?;
    Ok(gateway.sessions().count())
}

/// Takes in what a life before wrote to `path`, and removes it: it is worth nothing twice. `Ok(None)`
/// if there is none.
pub(super) fn restore(
    path: &Path,
    now: Duration,
    gateway: &mut Gateway,
) -> io::Result<Option<snatpool::Imported>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    fs::remove_file(path)?;
    let mut all = snatpool::Imported::default();
    let mut rest = bytes.as_slice();
    while let Some((length, behind)) = rest.split_first_chunk::<LENGTH>() {
        let length = u32::from_be_bytes(*length) as usize;
        let Some((piece, behind)) = behind.split_at_checked(length) else {
            all.damaged += 1;
            break;
        };
        rest = behind;
        let imported = gateway
            .import_sessions(now, piece)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        all.added += imported.added;
        all.damaged += imported.damaged;
        all.foreign += imported.foreign;
        all.conflicting += imported.conflicting;
        all.refused += imported.refused;
    }
    Ok(Some(all))
}
