//! A file to import: read from its start as often as needed, also where it is a pipe.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::ImportError;

/// Bytes looked at to tell what a file is.
const PEEK: u64 = 1 << 16;

/// What is imported.
#[derive(Debug)]
pub struct Source {
    /// What messages call it.
    pub(super) path: PathBuf,
    content: Content,
}

#[derive(Debug)]
enum Content {
    File(File),
    Bytes(Vec<u8>),
}

impl Source {
    /// Opens a file. A pipe is copied to a temporary file first, because it may have to be read twice.
    ///
    /// # Errors
    /// If it cannot be opened, is a directory, or the copy fails.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        Self::of(path).map_err(|source| ImportError::Io { path: path.to_owned(), source })
    }

    fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let kind = file.metadata()?;
        if kind.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !kind.is_file() {
            let mut copy = tempfile::tempfile()?;
            io::copy(&mut file, &mut copy)?;
            file = copy;
        }
        Ok(Self { path: path.to_owned(), content: Content::File(file) })
    }

    /// A file that is in memory already; messages call it by this name.
    #[must_use]
    pub fn bytes(name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: name.into(), content: Content::Bytes(bytes.into()) }
    }

    /// From the start.
    pub(super) fn rewound(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(match &mut self.content {
            Content::File(file) => {
                file.seek(SeekFrom::Start(0))?;
                Box::new(file)
            }
            Content::Bytes(bytes) => Box::new(bytes.as_slice()),
        })
    }

    /// The first line that says anything, or as much of it as is worth looking at.
    pub(super) fn first_line(&mut self) -> io::Result<String> {
        let mut start = Vec::new();
        self.rewound()?.take(PEEK).read_to_end(&mut start)?;
        let text = String::from_utf8_lossy(&start);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let said = |line: &&str| !line.is_empty() && !line.starts_with(';');
        Ok(text.lines().map(str::trim).find(said).unwrap_or_default().to_owned())
    }
}
