//! Matrix files: axes of settings and nemeses, expanded into cells in a fixed order. Every run of a cell is
//! a `highwater run` with the same flags, parsed by the same parser.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use targets::kafka::names;
use targets::kafka::properties::CombinationError;
use toml::{Table, Value};

use super::{rerun, seed};
use crate::cli::flags::{NO_NEMESIS, PlanArgs};

/// The axis that is no setting.
const NEMESIS: &str = "nemesis";
/// More cells than this are a mistake.
const CELLS_MAX: usize = 10_000;

/// Matrices that are built in.
pub(crate) const READY_MADE: &[(&str, &str)] =
    &[("durability", include_str!("../../matrices/durability.toml"))];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    summary: Option<String>,
    seed: Option<u64>,
    #[serde(default = "one")]
    repeats: u32,
    /// Flags of `highwater run` that all cells share, by their names without dashes.
    #[serde(default)]
    run: Table,
    /// Settings that all cells share, as for `--set`.
    #[serde(default)]
    set: Table,
    /// Settings, and `nemesis`, with the values they take.
    axes: Table,
    #[serde(default)]
    exclude: Vec<Exclude>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exclude {
    /// Values of axes; a cell that has all of them is skipped.
    when: Table,
    reason: String,
}

const fn one() -> u32 {
    1
}

/// A matrix, expanded.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) name: String,
    pub(crate) summary: Option<String>,
    pub(crate) seed: u64,
    /// The settings that vary, in the order of their columns.
    pub(crate) axes: Vec<String>,
    pub(crate) cells: Vec<MatrixCell>,
    /// Cells that are not run, and why.
    pub(crate) skipped: Vec<(String, String)>,
}

/// One cell.
#[derive(Debug)]
pub(crate) struct MatrixCell {
    /// `acks=1 min.insync.replicas=2 nemesis=kill`.
    pub(crate) label: String,
    /// Its settings as (name, value).
    pub(crate) settings: Vec<(String, String)>,
    /// The fault, `none` for none.
    pub(crate) nemesis: String,
    /// Its runs, one a repeat, each with its seed.
    pub(crate) runs: Vec<PlanArgs>,
}

/// Reads and expands the matrix at a path, or the one built in under that name. `seed` wins over the
/// file's; without either one is drawn.
///
/// # Errors
/// If there is no such matrix, or anything in it could not be run; impossible combinations are skipped.
pub(crate) fn load(matrix: &str, seed: Option<u64>) -> anyhow::Result<Matrix> {
    let text = if Path::new(matrix).is_file() {
        fs::read_to_string(matrix).with_context(|| format!("failed to read `{matrix}`"))?
    } else if let Some((_, text)) = READY_MADE.iter().find(|(name, _)| *name == matrix) {
        (*text).to_owned()
    } else {
        let names = READY_MADE.iter().map(|(name, _)| *name);
        let near = names.clone().find(|name| strsim::damerau_levenshtein(name, matrix) <= 3);
        let remedy = near.map_or_else(
            || format!("built in: `{}`", names.collect::<Vec<_>>().join("`, `")),
            |name| format!("did you mean `{name}`?"),
        );
        bail!("there is neither a file nor a built-in matrix `{matrix}` ({remedy})");
    };
    expand(&text, seed).with_context(|| format!("failed to plan matrix `{matrix}`"))
}

fn expand(text: &str, seed: Option<u64>) -> anyhow::Result<Matrix> {
    let file: File = toml::from_str(text).map_err(|error| one_line(&error, text))?;
    let seed = match seed.or(file.seed) {
        Some(seed) => seed,
        None => seed::draw().context("failed to draw a seed from the operating system (give --seed N)")?,
    };
    ensure!((1..=1000).contains(&file.repeats), "`repeats` must be from 1 to 1000, not {}", file.repeats);
    let (axes, nemeses) = axes(&file)?;
    let base = base(&file, &axes, nemeses.is_some())?;
    let excludes = excludes(&file, &axes, nemeses.is_some())?;

    let size: usize = axes.iter().map(|(_, values)| values.len()).product();
    ensure!(size <= CELLS_MAX, "the axes span more than {CELLS_MAX} cells (split the matrix)");
    let mut matrix = Matrix {
        name: file.name.clone(),
        summary: file.summary.clone(),
        seed,
        axes: axes.iter().map(|(name, _)| name.clone()).collect(),
        cells: Vec::new(),
        skipped: Vec::new(),
    };
    let nemeses = nemeses.map_or_else(|| vec![None], |names| names.into_iter().map(Some).collect());
    for settings in product(&axes) {
        for nemesis in &nemeses {
            matrix.add(&file, &base, &excludes, &settings, nemesis.as_deref())?;
        }
    }
    ensure!(!matrix.cells.is_empty(), "every cell is excluded or impossible (widen the axes)");
    Ok(matrix)
}

impl Matrix {
    /// Adds a cell, to those that run or to those that are skipped.
    fn add(
        &mut self,
        file: &File,
        base: &[String],
        excludes: &[Skip],
        settings: &[(String, String)],
        nemesis: Option<&str>,
    ) -> anyhow::Result<()> {
        let mut coordinates = settings.to_vec();
        coordinates.extend(nemesis.map(|nemesis| (NEMESIS.to_owned(), nemesis.to_owned())));
        let label =
            coordinates.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        let excluded = excludes.iter().find(|(when, _)| when.iter().all(|pair| coordinates.contains(pair)));
        if let Some((_, reason)) = excluded {
            self.skipped.push((label, reason.clone()));
            return Ok(());
        }
        let mut runs = Vec::new();
        for repeat in 0..file.repeats {
            let mut words = base.to_vec();
            for (name, value) in settings {
                words.extend(["--set".to_owned(), format!("{name}={value}")]);
            }
            if let Some(nemesis) = nemesis {
                words.extend(["--nemesis".to_owned(), nemesis.to_owned()]);
            }
            let seed = seed::of_cell(self.seed, &label, repeat);
            words.extend(["--seed".to_owned(), seed.to_string()]);
            runs.push(flags(&words)?);
        }
        match super::plan(&runs[0]) {
            Ok(drawn) => {
                let names = drawn.plan.nemeses;
                let nemesis = if names.is_empty() { NO_NEMESIS.to_owned() } else { names.join(",") };
                self.cells.push(MatrixCell { label, settings: settings.to_vec(), nemesis, runs });
            }
            Err(error) => match error.downcast_ref::<CombinationError>() {
                Some(impossible) => self.skipped.push((label, impossible.to_string())),
                None => return Err(error.context(format!("cell {label}"))),
            },
        }
        Ok(())
    }
}

type Axis = (String, Vec<String>);

/// Values of axes, and why a cell that has all of them is skipped.
type Skip = (Vec<(String, String)>, String);

/// The axes of settings in order of their names, and that of nemeses.
fn axes(file: &File) -> anyhow::Result<(Vec<Axis>, Option<Vec<String>>)> {
    let mut axes = Vec::new();
    let mut nemeses = None;
    for (name, value) in flat(&file.axes) {
        let Value::Array(values) = value else {
            bail!("axis `{name}` is no list (give `\"{name}\" = [first, second]`)");
        };
        ensure!(!values.is_empty(), "axis `{name}` has no values");
        let values = values.iter().map(|value| scalar(&name, value)).collect::<anyhow::Result<Vec<_>>>()?;
        if let Some(twice) = (1..values.len()).find(|place| values[..*place].contains(&values[*place])) {
            bail!("axis `{name}` has the value `{}` twice (use `repeats`)", values[twice]);
        }
        if name == NEMESIS {
            nemeses = Some(values);
        } else {
            let entry = names::resolve(&name).with_context(|| format!("axis `{name}`"))?;
            for value in &values {
                entry.check(value)?;
            }
            axes.push((name, values));
        }
    }
    axes.sort();
    if let Some(twice) = axes.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        bail!("axis `{}` is given twice (leave one out)", twice[0].0);
    }
    ensure!(!axes.is_empty() || nemeses.is_some(), "there are no axes (give at least one under `[axes]`)");
    Ok((axes, nemeses))
}

/// The flags that all cells share.
fn base(file: &File, axes: &[Axis], nemesis_varies: bool) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    for (name, value) in &file.run {
        match name.as_str() {
            "seed" => bail!("`[run]` cannot hold `seed` (put `seed` at the top: every cell draws from it)"),
            "set" => bail!("`[run]` cannot hold `set` (use `[set]`)"),
            NEMESIS if nemesis_varies => {
                bail!("`nemesis` is in `[run]` and in `[axes]` (leave one out)");
            }
            _ => {}
        }
        let flag = format!("--{name}");
        match value {
            Value::Boolean(true) => words.push(flag),
            Value::Boolean(false) => {}
            Value::Array(values) => {
                for value in values {
                    words.push(format!("{flag}={}", scalar(name, value)?));
                }
            }
            value => words.push(format!("{flag}={}", scalar(name, value)?)),
        }
    }
    for (name, value) in flat(&file.set) {
        ensure!(
            !axes.iter().any(|(axis, _)| *axis == name),
            "`{name}` is in `[set]` and in `[axes]` (leave one out)"
        );
        words.extend(["--set".to_owned(), format!("{name}={}", scalar(&name, &value)?)]);
    }
    flags(&words).context("`[run]`")?;
    Ok(words)
}

fn excludes(file: &File, axes: &[Axis], nemesis_varies: bool) -> anyhow::Result<Vec<Skip>> {
    file.exclude
        .iter()
        .map(|exclude| {
            let mut when = Vec::new();
            for (name, value) in flat(&exclude.when) {
                let known = axes.iter().any(|(axis, _)| *axis == name) || (nemesis_varies && name == NEMESIS);
                ensure!(known, "`exclude` names `{name}`, which is no axis");
                let value = scalar(&name, &value)?;
                when.push((name, value));
            }
            ensure!(!when.is_empty(), "`exclude` without values would skip every cell");
            Ok((when, exclude.reason.clone()))
        })
        .collect()
}

fn flags(words: &[String]) -> anyhow::Result<PlanArgs> {
    rerun::parse(words).map_err(|error| {
        let line = crate::cli::complaint(&error).unwrap_or_else(|| error.to_string());
        anyhow::Error::msg(line)
    })
}

/// Every combination of the axes' values, the last axis varying fastest.
fn product(axes: &[Axis]) -> Vec<Vec<(String, String)>> {
    axes.iter().fold(vec![Vec::new()], |cells, (name, values)| {
        cells
            .iter()
            .flat_map(|cell| {
                values.iter().map(|value| {
                    let mut cell = cell.clone();
                    cell.push((name.clone(), value.clone()));
                    cell
                })
            })
            .collect()
    })
}

/// The entries of a table; a Kafka name written without quotes is a table within a table to TOML.
fn flat(table: &Table) -> Vec<(String, Value)> {
    let mut entries = Vec::new();
    for (name, value) in table {
        match value {
            Value::Table(inner) => {
                entries
                    .extend(flat(inner).into_iter().map(|(rest, value)| (format!("{name}.{rest}"), value)));
            }
            value => entries.push((name.clone(), value.clone())),
        }
    }
    entries
}

fn scalar(name: &str, value: &Value) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        _ => bail!("`{name}` has a value that is neither text, a whole number, true nor false"),
    }
}

/// A TOML error spans lines; its message and the line it is about are enough.
fn one_line(error: &toml::de::Error, text: &str) -> anyhow::Error {
    let message = error.message().replace('\n', " ");
    match error.span() {
        Some(span) => {
            let line = 1 + text.get(..span.start).unwrap_or(text).matches('\n').count();
            anyhow::anyhow!("line {line}: {message}")
        }
        None => anyhow::anyhow!("{message}"),
    }
}

#[cfg(test)]
mod tests;
