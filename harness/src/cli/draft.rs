//! Results that are whole or not there: written beside their place and renamed to it.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tempfile::NamedTempFile;

/// A file under construction. Dropping it removes what there is of it; what was at its place stays.
pub(super) enum DraftFile {
    /// Beside its place.
    Beside { file: NamedTempFile, place: PathBuf },
    /// A pipe or device: there is nothing to rename.
    Straight { file: File, place: PathBuf },
}

impl DraftFile {
    /// A draft of the file at `path`.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let said = || failed(path);
        if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
            let file = File::options().write(true).open(path).with_context(said)?;
            return Ok(Self::Straight { file, place: path.to_owned() });
        }
        ensure!(!path.is_dir(), "{}: it is a directory", failed(path));
        // A link stays one: what it points to is replaced.
        let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let file = tempfile::Builder::new()
            .prefix(&hidden(&place))
            // As any other new file: the umask decides.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(parent(&place))
            .with_context(said)?;
        Ok(Self::Beside { file, place })
    }

    /// What to write to.
    pub(super) fn out(&mut self) -> &mut dyn Write {
        match self {
            Self::Beside { file, .. } => file,
            Self::Straight { file, .. } => file,
        }
    }

    /// Puts it in its place, whole.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Beside { file, place } => {
                let said = || failed(&place);
                file.persist(&place).map_err(|error| error.error).with_context(said)?;
            }
            Self::Straight { mut file, place } => file.flush().with_context(|| failed(&place))?,
        }
        Ok(())
    }
}

/// Beginning of a hidden name beside a file.
pub(super) fn hidden(path: &Path) -> String {
    format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy())
}

/// The directory that a file is in.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What was not written.
pub(super) fn failed(path: &Path) -> String {
    format!("failed to write `{}` (choose another -o)", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        let mut draft = DraftFile::create(&path).unwrap();
        draft.out().write_all(b"half").unwrap();
        drop(draft);
        assert_eq!((fs::read_to_string(&path).unwrap(), names(dir.path()).len()), ("old".to_owned(), 1));
        let mut draft = DraftFile::create(&path).unwrap();
        draft.out().write_all(b"new").unwrap();
        draft.finish().unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap(), names(dir.path()).len()), ("new".to_owned(), 1));
        assert!(DraftFile::create(dir.path()).is_err());
        let mut draft = DraftFile::create(Path::new("/dev/null")).unwrap();
        draft.out().write_all(b"gone").unwrap();
        draft.finish().unwrap();
    }
}
