//! Checkpoints of an offset a partition: what a restarted broker starts from. Each is only a starting point, so
//! one that cannot be read counts as absent.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use wire::power;

use super::{Doing, StorageError};
use crate::core::{PartitionKey, Uuid};

/// The high watermarks.
pub(super) const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
/// Up to where logs are durable and known to be good.
pub(super) const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
/// Up to where logs have been compacted.
pub(super) const CLEANED: &str = "cleaner-offset-checkpoint";
/// Where logs start, once records were deleted.
pub(super) const LOG_STARTS: &str = "log-start-offset-checkpoint";

/// Reads what was written last.
pub(super) fn read(data: &Path, name: &str) -> HashMap<PartitionKey, i64> {
    let text = fs::read_to_string(data.join(name)).unwrap_or_default();
    text.lines().skip(1).map_while(line).collect()
}

fn line(line: &str) -> Option<(PartitionKey, i64)> {
    let mut words = line.split(' ');
    let topic = Uuid::try_from(words.next()?.to_owned()).ok()?;
    let key = PartitionKey { topic, partition: words.next()?.parse().ok()? };
    Some((key, words.next()?.parse().ok()?))
}

/// Replaces it: a version, then topic id, partition and offset a line.
pub(super) fn write(
    data: &Path,
    name: &str,
    marks: impl Iterator<Item = (PartitionKey, i64)>,
) -> Result<(), StorageError> {
    let mut text = String::from("0\n");
    for (key, offset) in marks {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {} {offset}", key.topic, key.partition);
    }
    let path = data.join(name);
    power::replace(&path, text.as_bytes()).doing("replace", &path)
}
