//! The values that an imported history's sends had at their source.

use std::collections::BTreeMap;

use crate::view::imported::Value;

/// One number a send, and text where it is not a number. Empty in our own histories.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::view) struct ValueColumn {
    numbers: Vec<i64>,
    /// Where a value is text, or there is none.
    others: BTreeMap<usize, Option<String>>,
}

impl ValueColumn {
    /// Sets the value of a send behind all those that have one.
    pub(in crate::view) fn set(&mut self, send: usize, value: &Value) {
        while self.numbers.len() < send {
            self.others.insert(self.numbers.len(), None);
            self.numbers.push(0);
        }
        self.numbers.push(match value {
            Value::Number(number) => *number,
            Value::Text(text) => {
                self.others.insert(send, Some(text.clone()));
                0
            }
        });
    }

    pub(in crate::view) fn get(&self, send: usize) -> Option<Value> {
        let number = *self.numbers.get(send)?;
        match self.others.get(&send) {
            None => Some(Value::Number(number)),
            Some(text) => text.clone().map(Value::Text),
        }
    }
}
