//! One table: values are gathered by partition and column and written in groups, so that memory holds some
//! thousand rows of each partition and no more.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::{WriteError, Written};

/// Rows that all partitions together gather, about.
const ROWS: usize = 1 << 17;
/// Rows of a row group, fewest and most.
const GROUP: (usize, usize) = (1 << 10, 1 << 14);

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    text: bool,
    optional: bool,
}

impl Column {
    pub(super) const fn text(name: &'static str) -> Self {
        Self { name, text: true, optional: false }
    }

    pub(super) const fn text_or_null(name: &'static str) -> Self {
        Self { name, text: true, optional: true }
    }

    pub(super) const fn number(name: &'static str) -> Self {
        Self { name, text: false, optional: false }
    }

    pub(super) const fn number_or_null(name: &'static str) -> Self {
        Self { name, text: false, optional: true }
    }

    fn schema(&self) -> String {
        let presence = if self.optional { "OPTIONAL" } else { "REQUIRED" };
        let name = self.name;
        let kind = if self.text { format!("BYTE_ARRAY {name} (STRING)") } else { format!("INT64 {name}") };
        format!("{presence} {kind};")
    }
}

/// A value of a row.
#[derive(Debug, Clone)]
pub(super) enum Cell {
    Null,
    Number(i64),
    Text(String),
    Word(&'static str),
}

impl Cell {
    /// Numbers beyond `i64`, which no clock reaches, are its greatest.
    pub(super) fn number(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// The values of a column that wait to be written.
#[derive(Debug, Default)]
struct Gathered {
    texts: Vec<ByteArray>,
    numbers: Vec<i64>,
    /// Of each row, whether it has a value.
    there: Vec<i16>,
}

impl Gathered {
    fn push(&mut self, cell: Cell) {
        self.there.push(i16::from(!matches!(cell, Cell::Null)));
        match cell {
            Cell::Null => {}
            Cell::Number(number) => self.numbers.push(number),
            Cell::Text(text) => self.texts.push(ByteArray::from(text.into_bytes())),
            Cell::Word(word) => self.texts.push(ByteArray::from(word)),
        }
    }

    fn clear(&mut self) {
        self.texts.clear();
        self.numbers.clear();
        self.there.clear();
    }
}

/// A table under construction.
pub(super) struct Table<'a> {
    dir: PathBuf,
    columns: &'static [Column],
    parts: Vec<Part<'a>>,
    group: usize,
    rows: u64,
}

/// The file of one partition, begun with its first group of rows.
struct Part<'a> {
    place: &'a str,
    gathered: Vec<Gathered>,
    rows: usize,
    writer: Option<SerializedFileWriter<File>>,
}

impl<'a> Table<'a> {
    pub(super) fn new(dir: PathBuf, columns: &'static [Column], places: &'a [String]) -> Self {
        let gathered = || columns.iter().map(|_| Gathered::default()).collect();
        let part = |place: &'a String| Part { place, gathered: gathered(), rows: 0, writer: None };
        let group = (ROWS / places.len().max(1)).clamp(GROUP.0, GROUP.1);
        Self { dir, columns, parts: places.iter().map(part).collect(), group, rows: 0 }
    }

    /// Adds a row to a part, a cell a column.
    pub(super) fn push<const N: usize>(&mut self, part: usize, row: [Cell; N]) -> Result<(), WriteError> {
        self.rows += 1;
        let part = &mut self.parts[part];
        part.rows += 1;
        part.gathered.iter_mut().zip(row).for_each(|(gathered, cell)| gathered.push(cell));
        if part.rows < self.group { Ok(()) } else { part.flush(&self.dir, self.columns) }
    }

    pub(super) fn finish(mut self) -> Result<Written, WriteError> {
        let mut files = 0;
        for part in &mut self.parts {
            if part.rows > 0 {
                part.flush(&self.dir, self.columns)?;
            }
            if let Some(writer) = part.writer.take() {
                writer.close().map_err(|error| WriteError::at(&self.dir.join(part.place), error))?;
                files += 1;
            }
        }
        Ok(Written { rows: self.rows, files })
    }
}

impl Part<'_> {
    /// Writes the rows gathered so far as one group.
    fn flush(&mut self, dir: &Path, columns: &'static [Column]) -> Result<(), WriteError> {
        let dir = dir.join(self.place);
        if self.writer.is_none() {
            self.writer = Some(open(&dir, columns)?);
        }
        if let Some(writer) = &mut self.writer {
            let written = writer.next_row_group().and_then(|group| write(group, columns, &self.gathered));
            written.map_err(|error| WriteError::at(&dir, error))?;
        }
        self.gathered.iter_mut().for_each(Gathered::clear);
        self.rows = 0;
        Ok(())
    }
}

fn write(
    mut group: SerializedRowGroupWriter<'_, File>,
    columns: &[Column],
    gathered: &[Gathered],
) -> Result<(), ParquetError> {
    for (column, gathered) in columns.iter().zip(gathered) {
        let Some(mut out) = group.next_column()? else { break };
        let levels = column.optional.then_some(gathered.there.as_slice());
        if column.text {
            out.typed::<ByteArrayType>().write_batch(&gathered.texts, levels, None)?;
        } else {
            out.typed::<Int64Type>().write_batch(&gathered.numbers, levels, None)?;
        }
        out.close()?;
    }
    group.close().map(|_| ())
}

/// A file without rows.
pub(super) fn empty(dir: &Path, columns: &[Column]) -> Result<Written, WriteError> {
    open(dir, columns)?.close().map_err(|error| WriteError::at(dir, error))?;
    Ok(Written { rows: 0, files: 1 })
}

fn open(dir: &Path, columns: &[Column]) -> Result<SerializedFileWriter<File>, WriteError> {
    fs::create_dir_all(dir).map_err(|error| WriteError::at(dir, error))?;
    let path = dir.join("part-0.parquet");
    let fields: Vec<String> = columns.iter().map(Column::schema).collect();
    let schema = parse_message_type(&format!("message rows {{ {} }}", fields.join(" ")));
    let schema = Arc::new(schema.map_err(|error| WriteError::at(&path, error))?);
    let file = File::create(&path).map_err(|error| WriteError::at(&path, error))?;
    let properties = Arc::new(WriterProperties::builder().build());
    SerializedFileWriter::new(file, schema, properties).map_err(|error| WriteError::at(&path, error))
}
