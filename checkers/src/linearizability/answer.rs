//! What is said of one object.

/// Whether an object's history is linearizable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An order exists.
    Linearizable,
    /// No order exists, for these reasons.
    Not(Vec<Flaw>),
    /// Nobody can say, and why: what was too much.
    Unknown(String),
}

/// One way in which a history is not linearizable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The kind of finding, kebab-case: the more telling names where one fits, else `non-linearizable`.
    pub kind: &'static str,
    /// How often.
    pub count: u64,
    /// The first few: what happened, and the operations that prove it, by their place in the history.
    pub examples: Vec<(String, Vec<u32>)>,
}

impl Flaw {
    /// A flaw seen once.
    pub(crate) fn one(kind: &'static str, text: String, operations: Vec<u32>) -> Self {
        Self { kind, count: 1, examples: vec![(text, operations)] }
    }
}
