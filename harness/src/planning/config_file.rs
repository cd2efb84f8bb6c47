//! `--config FILE`: properties for every client, one KEY=VALUE a line, as the `.properties` files that
//! other clients read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

/// Properties of the Java client that mean nothing to librdkafka, and what to write instead.
const JAVA_ONLY: &[(&str, &str)] = &[
    ("sasl.jaas.config", "give sasl.username and sasl.password"),
    ("ssl.truststore.location", "give ssl.ca.location, a PEM file"),
    ("ssl.truststore.password", "leave it out: ssl.ca.location needs none"),
    ("key.serializer", "leave it out"),
    ("value.serializer", "leave it out"),
    ("key.deserializer", "leave it out"),
    ("value.deserializer", "leave it out"),
];

/// Reads a file of properties. Lines that are empty or begin with `#` or `!` say nothing.
pub(super) fn read(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()))?;
    parse(&text).with_context(|| format!("failed to read `{}`", path.display()))
}

fn parse(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut properties = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
            // The line is not shown: it may hold a secret.
            bail!("line {number} is not KEY=VALUE");
        };
        let (key, value) = (key.trim(), value.trim());
        if let Some((_, instead)) = JAVA_ONLY.iter().find(|(name, _)| *name == key) {
            bail!("line {number}: `{key}` is a property of the Java client ({instead})");
        }
        if properties.insert(key.to_owned(), value.to_owned()).is_some() {
            bail!("line {number}: `{key}` is given twice");
        }
    }
    Ok(properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_and_mistakes_are_found() {
        let read = parse("# a comment\n\nsecurity.protocol = SASL_SSL\nsasl.password=a=b\n").unwrap();
        assert_eq!(read["security.protocol"], "SASL_SSL");
        assert_eq!(read["sasl.password"], "a=b");
        for (text, says) in [
            ("a=1\nhush", "line 2 is not KEY=VALUE"),
            ("=x", "line 1 is not KEY=VALUE"),
            ("a=1\na=2", "line 2: `a` is given twice"),
            (
                "sasl.jaas.config=hush",
                "line 1: `sasl.jaas.config` is a property of the Java client (give sasl.username and sasl.password)",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert_eq!(error, says);
        }
    }
}
