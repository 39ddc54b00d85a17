//! Room on the disk that a restore fills. A disk that is full takes the live server down with it (PostgreSQL ends in a
//! PANIC when it cannot write its log), so the room is looked at before, and watched while it is used up.
//!
//! Looked at is the file system of the server's data directory, where Docker has it on this machine and drbot may see it;
//! else that of Docker's own data. Where neither can be seen, nothing is said.

use std::{path::PathBuf, time::Duration};

use super::{connect::Server, fresh};
use crate::actions::{Context, Failure, docker};

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(100);
/// As many such times are looked ahead: what is under way takes a moment to end.
const AHEAD: u64 = 10;
/// What is left to the live server: a tenth of the disk, within these bounds.
const LEAST: u64 = 64 << 20;
const MOST: u64 = 1 << 30;

/// A file system that a server's data is on.
#[derive(Debug, Clone)]
pub struct Disk {
    path: PathBuf,
}

#[derive(Debug, Clone, Copy)]
struct Space {
    free: u64,
    all: u64,
}

/// The disk of a server; `None` when it cannot be seen from here.
///
/// # Errors
/// When Docker does not answer.
pub async fn disk(engine: &docker::Engine, context: &Context, server: &Server) -> Result<Option<Disk>, Failure> {
    let found = engine.inspect(&server.container, context).await?;
    let of_data = found.and_then(|found| {
        let data = fresh::data_directory(&found).to_owned();
        let mount = found.mounts?.into_iter().find(|mount| mount.destination.as_deref() == Some(data.as_str()))?;
        mount.source.map(PathBuf::from)
    });
    let client = engine.client(context).await?;
    let info = docker::stoppable(context, client.info()).await?;
    let of_docker = info.ok().and_then(|info| info.docker_root_dir).map(PathBuf::from);
    let seen = [of_data, of_docker].into_iter().flatten().map(|path| Disk { path }).find(|disk| disk.space().is_some());
    Ok(seen)
}

impl Disk {
    fn space(&self) -> Option<Space> {
        let stat = nix::sys::statvfs::statvfs(&self.path).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.fragment_size());
        Some(Space { free: bytes(stat.blocks_available()), all: bytes(stat.blocks()) })
    }

    /// # Errors
    /// That there is not room for so many bytes beside what the live server needs.
    pub fn has_room_for(&self, bytes: u64) -> Result<(), Failure> {
        let Some(space) = self.space() else { return Ok(()) };
        let needed = bytes.saturating_add(bytes / 5).saturating_add(reserve(space));
        if space.free >= needed {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "there is not enough room: about {} MB are needed in {}, and {} MB are free. Make room, then try again",
            megabytes(needed),
            self.path.display(),
            megabytes(space.free),
        )))
    }

    /// Returns when so little is left that the live server would be in danger, or will be in a second as it goes; the
    /// reason.
    pub async fn runs_out(&self, context: &Context) -> String {
        let mut before = None;
        loop {
            if let Some(space) = self.space() {
                let used = before.map_or(0, |before: u64| before.saturating_sub(space.free));
                before = Some(space.free);
                if space.free < reserve(space).saturating_add(used.saturating_mul(AHEAD)) {
                    return format!(
                        "it was stopped before the disk is full, which would take the live server down: {} MB are left in \
                         {}. Make room, then try again",
                        megabytes(space.free),
                        self.path.display(),
                    );
                }
            }
            context.clock.sleep(EVERY).await;
        }
    }
}

fn reserve(space: Space) -> u64 {
    (space.all / 10).clamp(LEAST, MOST)
}

fn megabytes(bytes: u64) -> u64 {
    bytes / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_that_does_not_fit_is_refused_with_the_figures() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk { path: folder.path().to_owned() };
        let free = disk.space().unwrap().free;
        let why = disk.has_room_for(free).unwrap_err().to_string();
        assert!(why.contains("not enough room") && why.contains(&megabytes(free).to_string()), "{why}");
        assert!(disk.has_room_for(0).is_ok() || free < MOST);
    }

    #[test]
    fn a_tenth_is_left_within_bounds() {
        let of = |all| reserve(Space { free: 0, all });
        assert_eq!((of(1 << 20), of(5 << 30), of(1 << 40)), (LEAST, 512 << 20, MOST));
    }
}
