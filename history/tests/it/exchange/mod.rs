//! Histories from elsewhere, and ours to elsewhere and back.

mod hostile;
mod jepsen;
mod native;
mod operations;
mod verifiable;

use history::exchange::{Format, Import, Source, detect, import};

pub(super) use super::sample;

/// Imports a text as what it looks like; an error as its text.
pub(super) fn read(text: impl AsRef<[u8]>) -> Result<Import, String> {
    let mut source = Source::bytes("file", text.as_ref());
    match detect(&mut source).expect("it is in memory") {
        Some(format) => read_as(text, format),
        None => Err("nothing known".to_owned()),
    }
}

pub(super) fn read_as(text: impl AsRef<[u8]>, format: Format) -> Result<Import, String> {
    let mut source = Source::bytes("file", text.as_ref());
    import(&mut source, format, sample::plan()).map_err(|error| error.to_string())
}

/// One of the histories in `tests/data`.
pub(super) fn data(name: &str) -> String {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("it is there")
}
