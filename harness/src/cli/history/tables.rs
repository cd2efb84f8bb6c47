//! A history as a directory of Parquet tables, which is whole or not there: made beside its place and renamed
//! to it.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use history::History;
use history::exchange::parquet::write_parquet;

use crate::cli::Outcome;
use crate::cli::draft::{failed, hidden, parent};
use crate::cli::interrupt::Interrupt;
use crate::exit::Exit;

/// Writes the tables to `dir`, which must not exist.
pub(super) fn export(history: &History, dir: &Path) -> Outcome {
    ensure_free(dir)?;
    let said = || failed(dir);
    fs::create_dir_all(parent(dir)).with_context(said)?;
    let interrupt = Interrupt::watch()?;
    // Gone with what is in it, unless that was moved out.
    let around = tempfile::Builder::new().prefix(&hidden(dir)).tempdir_in(parent(dir)).with_context(said)?;
    let draft = around.path().join("tables");
    let written = write_parquet(history, &draft, &|| interrupt.go_on());
    if let Some(exit) = interrupt.exit() {
        return Ok(exit);
    }
    let written = written.with_context(said)?;
    ensure_free(dir)?;
    fs::rename(&draft, dir).with_context(said)?;
    eprintln!(
        "{} rows in {} files below `{}`; the queries beside them run on DuckDB, DataFusion and ClickHouse",
        written.rows,
        written.files,
        dir.display()
    );
    Ok(Exit::Held)
}

fn ensure_free(dir: &Path) -> anyhow::Result<()> {
    ensure!(!dir.exists(), "{}: it is there already", failed(dir));
    Ok(())
}
