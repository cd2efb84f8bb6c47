//! Build script of the rooms with a catalog: reads the `mod` lines of `src/catalog/mod.rs` and writes the
//! slice of their `SPEC`s, so that a folder and one `mod` line add an entry, and no second list exists.

#![expect(clippy::print_stdout, reason = "cargo listens to a build script's stdout")]

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=src/catalog");
    let catalog = Path::new("src/catalog");
    let source = fs::read_to_string(catalog.join("mod.rs")).expect("src/catalog/mod.rs is readable");
    let mut names: Vec<&str> = source
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    names.sort_unstable();
    for entry in fs::read_dir(catalog).expect("src/catalog is readable") {
        let path = entry.expect("src/catalog is readable").path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        assert!(
            stem == "mod" || names.contains(&stem.as_str()),
            "{} exists: add `mod {stem};` to src/catalog/mod.rs",
            path.display()
        );
    }
    let entries: String = names.iter().map(|name| format!("    &{name}::SPEC,\n")).collect();
    let slice = format!(
        "/// Every entry, in order of its name.\npub static CATALOG: &[&crate::Spec] = &[\n{entries}];\n"
    );
    let out = Path::new(&env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("catalog.rs");
    fs::write(out, slice).expect("OUT_DIR is writable");
}
