//! Why a file of operations could not be read: which file, which line, what is wrong with it, what to do.

use std::io;

/// A file of operations that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum OperationsError {
    /// The file could not be opened or read.
    #[error("failed to read `{file}`: {source}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A line is no operation of the model.
    #[error("failed to read `{file}`, line {line}: {reason}")]
    Line {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: Reason,
    },
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// It is no JSON object of the right fields.
    #[error(
        "{0} (an operation a line: `{{\"process\":0,\"f\":\"read\",\"key\":\"x\",\"input\":null,\"output\":{{\"value\":1}},\"call_ns\":0,\"return_ns\":9}}`)"
    )]
    Json(String),
    /// It is not UTF-8.
    #[error("byte {0} of the line is not UTF-8")]
    Encoding(usize),
    /// It is too long.
    #[error("it is longer than {0} bytes (split the operation)")]
    TooLong(usize),
    /// Values are nested too deeply.
    #[error("a value is nested deeper than {0} levels")]
    TooDeep(usize),
    /// The file is too large for the columns.
    #[error("more than 4294967295 {0} in one file (split it by key)")]
    TooMany(&'static str),
    /// The model has no such function.
    #[error("model `{model}` has no function `{function}` (it has {has})")]
    Function {
        /// The model.
        model: &'static str,
        /// The function.
        function: String,
        /// What it has.
        has: String,
    },
    /// It returned before it was called.
    #[error("`return_ns` {returned} is before `call_ns` {call}")]
    Backwards {
        /// When it was called.
        call: i64,
        /// When it is said to have returned.
        returned: i64,
    },
    /// An input is not what the function takes.
    #[error("input of `{function}` is `{input}` (expected {expected})")]
    Input {
        /// The function.
        function: String,
        /// What it was given, shortened.
        input: String,
        /// What it takes.
        expected: &'static str,
    },
    /// An output is not what the function gives.
    #[error(
        "output of a completed `{function}` is `{output}` (expected {expected}, or a null `return_ns` if nobody knows what came of it)"
    )]
    Output {
        /// The function.
        function: String,
        /// What it is said to have given, shortened.
        output: String,
        /// What it gives.
        expected: &'static str,
    },
    /// The field `type` is not one of ours.
    #[error(
        "type `{0}` (expected `ok`, `fail` or `info`; a line a call and a line a return is Jepsen's form: --from jepsen)"
    )]
    Type(String),
}
