//! What Git knows of the workspace: its commit, its history, who changed what.
//!
//! Everything is read as objects, through gix, with the trust that a foreign repository gets: the program `git` is never
//! started, and so nothing that a repository or a clone's configuration names (filters, hooks, fsmonitor, pagers, textconv,
//! gpg programs, aliases, credential helpers) ever runs; nothing is fetched, and includes are not followed.
//!
//! The repository is the one whose `.git` stands in the nearest folder above. Git never checks out a `.git`, so no commit
//! brings one; what a commit can bring is a folder that looks like a bare repository (`HEAD`, `objects`, `refs`, `config`),
//! and that is never one here. Where `.git` is a file or a link (a linked worktree, a submodule), it must lead out of the
//! work tree: what stands among the files of a commit is content, whatever points to it. The work tree is the folder that
//! `.git` stands in; `core.worktree` is not asked.

mod config;
mod find;
mod history;
mod lines;
mod read;
mod status;
mod tree;

use std::path::{Path, PathBuf};

pub use config::configure;
pub use history::{History, Skipped, Version, contents, versions};
pub use lines::{LastChange, last_changes};
pub use status::commit;
pub use tree::Enter;

use super::disk;

/// A tree's own cache, in bytes: neighbours in a history share most of their trees.
const OBJECT_CACHE: usize = 64 << 20;

/// A repository, and where the workspace is in it.
#[derive(Clone)]
pub(super) struct Repository {
    objects: gix::ThreadSafeRepository,
    /// The names of the folders from its root to the workspace.
    below: Vec<String>,
}

impl Repository {
    /// The repository that `workspace` lies in.
    ///
    /// # Errors
    /// There is none, or it can't be read, in words for people.
    pub(super) fn around(workspace: &Path) -> Result<Self, String> {
        let workspace = find::whole(workspace)?;
        let root = disk::repository(&workspace).ok_or("the workspace is not in a Git repository")?;
        let options = gix::open::Options::isolated().with(gix::sec::Trust::Reduced).open_path_as_is(true);
        let folder = find::git_folder(root)?;
        let objects =
            gix::ThreadSafeRepository::open_opts(&folder, options).map_err(|error| {
                match config::is_sha256(&folder) {
                    true => "the Git repository names its objects by SHA-256, which tieline can't read yet".to_owned(),
                    false => format!("the Git repository can't be read: {error}"),
                }
            })?;
        // A linked worktree shares what it has with another folder, to which the same applies.
        find::outside(root, objects.to_thread_local().common_dir())?;
        let below = workspace.strip_prefix(root).into_iter().flat_map(Path::iter);
        Ok(Self { objects, below: below.map(|name| name.to_string_lossy().into_owned()).collect() })
    }

    /// Whether a folder lies in the work tree of some repository, readable or not.
    fn is_around(folder: &Path) -> bool {
        find::whole(folder).is_ok_and(|folder| disk::repository(&folder).is_some())
    }

    /// A handle for this thread. Replacements (`refs/replace`) are not followed: an id is what it says.
    pub(super) fn local(&self) -> gix::Repository {
        let mut local = self.objects.to_thread_local();
        local.objects.ignore_replacements = true;
        local.object_cache_size(OBJECT_CACHE);
        local
    }

    /// The names of the folders from the root to the workspace.
    pub(super) fn below(&self) -> &[String] {
        &self.below
    }

    /// The folder that holds the settings of all its worktrees.
    fn common(&self) -> PathBuf {
        self.objects.to_thread_local().common_dir().to_owned()
    }
}

/// Whether the checked-out commit of the repository around a file has it.
pub fn is_committed(file: &Path) -> bool {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(|name| name.to_str())) else {
        return false;
    };
    if disk::repository(folder).is_none() {
        return false;
    }
    super::Revision::open(folder, "HEAD").is_ok_and(|head| head.has(name))
}

/// Whether the clone lacks the older part of its history, as those of CI systems mostly do.
pub fn is_shallow(folder: &Path) -> bool {
    Repository::around(folder).is_ok_and(|repository| repository.local().is_shallow().unwrap_or(true))
}
