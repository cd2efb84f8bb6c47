//! Changes of settings: set, delete, append to a list, take from a list (IncrementalAlterConfigs, KIP-339).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kafka::{Known, Type};

/// What to do with one setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigOp {
    /// Set it.
    Set(String),
    /// Back to what it is without.
    Delete,
    /// Add these words to a list, where they are missing.
    Append(String),
    /// Take these words from a list.
    Subtract(String),
}

/// A change makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ChangeError {
    /// Only lists can be appended to or subtracted from.
    #[error("cannot append to or subtract from `{0}` (it is not a list)")]
    NotAList(String),
}

/// Applies a change to what is set at one level; `known` is what Kafka knows of the setting.
///
/// # Errors
/// If it is not a list and should be.
pub fn change(
    configs: &mut BTreeMap<String, String>,
    name: &str,
    op: &ConfigOp,
    known: Option<&Known>,
) -> Result<(), ChangeError> {
    let words = |text: &str| -> Vec<String> {
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let list = |text: &String| match known {
        Some(known) if known.kind == Type::List => {
            // A list that is not set here has its default.
            let present = configs.get(name).map_or_else(|| known.default.unwrap_or_default(), String::as_str);
            Ok((words(present), words(text)))
        }
        _ => Err(ChangeError::NotAList(name.to_owned())),
    };
    let value = match op {
        ConfigOp::Set(value) => Some(value.clone()),
        ConfigOp::Delete => None,
        ConfigOp::Append(text) => {
            let (mut present, more) = list(text)?;
            for word in more {
                if !present.contains(&word) {
                    present.push(word);
                }
            }
            Some(present.join(","))
        }
        ConfigOp::Subtract(text) => {
            let (mut present, less) = list(text)?;
            present.retain(|word| !less.contains(word));
            Some(present.join(","))
        }
    };
    match value {
        Some(value) => configs.insert(name.to_owned(), value),
        None => configs.remove(name),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::kafka;
    use super::*;

    #[test]
    fn lists_grow_and_shrink_and_nothing_else_does() {
        let mut configs = BTreeMap::new();
        let mut apply = |name: &str, op| {
            let outcome = change(&mut configs, name, &op, kafka::find(&kafka::TOPIC, name));
            outcome.map(|()| configs.get(name).cloned())
        };
        let text = |text: &str| text.to_owned();
        let policy = "cleanup.policy";
        assert_eq!(apply(policy, ConfigOp::Append(text("compact"))), Ok(Some(text("delete,compact"))));
        assert_eq!(apply(policy, ConfigOp::Append(text("compact"))), Ok(Some(text("delete,compact"))));
        assert_eq!(apply(policy, ConfigOp::Subtract(text("delete"))), Ok(Some(text("compact"))));
        assert_eq!(apply(policy, ConfigOp::Delete), Ok(None));
        assert_eq!(apply("flush.ms", ConfigOp::Set(text("5"))), Ok(Some(text("5"))));
        let not_a_list = Err(ChangeError::NotAList(text("flush.ms")));
        assert_eq!(apply("flush.ms", ConfigOp::Append(text("6"))), not_a_list);
    }
}
