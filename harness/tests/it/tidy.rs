//! Rules of the repository that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

/// No file is longer than this; aim for a third of it.
const LINES_MAX: usize = 800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// Every Rust source below a folder, with its text.
pub(crate) fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                open.push(path);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).expect("readable source");
                found.push((path, text));
            }
        }
    }
    found
}

#[test]
fn every_file_says_what_it_is_for() {
    for (path, text) in sources(root()) {
        assert!(text.starts_with("//!"), "{} must open with a `//!` paragraph", path.display());
    }
}

#[test]
fn no_file_is_too_long() {
    for (path, text) in sources(root()) {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines (split it: {LINES_MAX} at most)", path.display());
    }
}

#[test]
fn unsafe_code_lives_in_one_module() {
    let marker = concat!("unsafe", " {");
    for (path, text) in sources(root()) {
        let mapping = path.ends_with("history/src/segment/mapping.rs");
        assert!(
            mapping || !text.contains(marker),
            "{}: only the mapped history may be unsafe",
            path.display()
        );
    }
}

/// Wall-clock time and unseeded randomness never decide anything.
#[test]
fn decisions_use_the_clock_and_the_seed_of_the_run() {
    let banned = [concat!("thread", "_rng"), concat!("rand::", "random")];
    for (path, text) in sources(root()) {
        for word in banned {
            assert!(!text.contains(word), "{}: `{word}` (draw from the seed instead)", path.display());
        }
    }
}

#[test]
fn the_architecture_page_stays_short() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the page is there");
    assert!(page.lines().count() <= 150);
}
