//! What the command line is to have and this build has not: named here and nowhere else, so that asking
//! for it says so, while help and lists show only what works.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Commands of the contract that are not built.
const COMMANDS: &[&str] = &[
    "claims",
    "compare",
    "completions",
    "config",
    "gate",
    "man",
    "merge",
    "report",
    "schema",
    "serve",
    "simulate",
];

/// Flags of the contract that are not built.
const FLAGS: &[&str] = &["--resume", "--shard", "--sink"];

/// Values of the contract that are not built, by the argument that takes them.
const VALUES: &[(&str, &[&str])] = &[
    ("--target", &["mqtt", "rocketmq"]),
    ("--format", &["csv", "json", "junit", "markdown", "ndjson"]),
    ("<WHAT>", &["claims"]),
];

/// The error for something that is to be there and is not; `None` for any other mistake.
pub(super) fn not_built(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let what = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let command = text(ContextKind::InvalidSubcommand)?;
            COMMANDS.contains(&command).then(|| format!("command `{command}`"))
        }
        ErrorKind::UnknownArgument => {
            let flag = text(ContextKind::InvalidArg)?.split('=').next()?;
            FLAGS.contains(&flag).then(|| format!("flag `{flag}`"))
        }
        ErrorKind::InvalidValue => {
            let (argument, value) = (text(ContextKind::InvalidArg)?, text(ContextKind::InvalidValue)?);
            let argument = argument.split(' ').next()?;
            let (_, values) = VALUES.iter().find(|(name, _)| *name == argument)?;
            values.contains(&value).then(|| format!("`{}`", [argument, value].join(" ")))
        }
        _ => None,
    };
    what.map(|what| format!("{what} is not in this build (`highwater --help` shows what is)"))
}
