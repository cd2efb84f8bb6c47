//! An operation-level history that can be edited: what the simulator writes, planters damage, and the
//! builder turns into the real thing.

use std::collections::HashMap;

use history::event::Role;
use history::{
    Builder, Contents, Delivery, Detail, Ended, ErrorCode, Function, History, ImportFormat, Imported, Nanos,
    Offset, Outcome, Partition, Send, Tag, Told, Value,
};

/// An imported history, as operations of processes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    pub(crate) partitions: u32,
    /// One list for each process.
    pub(crate) processes: Vec<Vec<Op>>,
    pub(crate) transactions: bool,
    pub(crate) subscribes: bool,
    /// What was read back from sinks.
    pub(crate) tables: Vec<Table>,
    /// Settings told, as `--set` would: producer and consumer ones.
    pub(crate) settings: Vec<(String, String)>,
}

/// The rows of a sink: partition and value of the record each was made of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) rows: Vec<(u32, i64)>,
    /// It was read to its end.
    pub(crate) closed: bool,
}

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    pub(crate) function: Function,
    pub(crate) outcome: Outcome,
    pub(crate) invoked: u64,
    pub(crate) completed: Option<u64>,
    pub(crate) steps: Vec<Micro>,
    pub(crate) detail: Option<Detail>,
}

/// One micro-operation.
#[derive(Debug, Clone)]
pub(crate) enum Micro {
    Send(Sent),
    Poll(Vec<Given>),
}

/// A value sent. Values are unique within a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) partition: u32,
    pub(crate) value: i64,
    pub(crate) offset: Option<i64>,
    pub(crate) key: Option<u64>,
}

/// A value polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) partition: u32,
    pub(crate) offset: i64,
    pub(crate) value: i64,
}

impl Op {
    pub(crate) fn sends(&self) -> impl Iterator<Item = &Sent> {
        self.steps.iter().filter_map(|step| match step {
            Micro::Send(sent) => Some(sent),
            Micro::Poll(_) => None,
        })
    }

    pub(crate) fn given(&self) -> impl Iterator<Item = &Given> {
        self.steps.iter().filter_map(given).flatten()
    }

    /// What each of its polls returned, to change.
    pub(crate) fn polls_mut(&mut self) -> impl Iterator<Item = &mut Vec<Given>> {
        self.steps.iter_mut().filter_map(|step| match step {
            Micro::Poll(given) => Some(given),
            Micro::Send(_) => None,
        })
    }

    pub(crate) fn sends_mut(&mut self) -> impl Iterator<Item = &mut Sent> {
        self.steps.iter_mut().filter_map(|step| match step {
            Micro::Send(sent) => Some(sent),
            Micro::Poll(_) => None,
        })
    }
}

fn given(step: &Micro) -> Option<&Vec<Given>> {
    match step {
        Micro::Poll(given) => Some(given),
        Micro::Send(_) => None,
    }
}

impl Script {
    pub(crate) fn ops(&self) -> impl Iterator<Item = &Op> {
        self.processes.iter().flatten()
    }

    pub(crate) fn ops_mut(&mut self) -> impl Iterator<Item = &mut Op> {
        self.processes.iter_mut().flatten()
    }

    /// The tag a value has in the built history.
    pub(crate) fn tags(&self) -> HashMap<(u32, i64), Tag> {
        let mut tags = HashMap::new();
        for (producer, ops) in (0..).zip(&self.processes) {
            for (seq, sent) in (0..).zip(ops.iter().flat_map(Op::sends)) {
                tags.entry((sent.partition, sent.value)).or_insert(Tag { producer, session: 0, seq });
            }
        }
        tags
    }

    /// The history, as an importer builds it.
    pub(crate) fn build(&self) -> History {
        let mut plan = crate::testing::plan(self.partitions);
        for (name, value) in &self.settings {
            let scope = match name.as_str() {
                "isolation.level" | "auto.offset.reset" => &mut plan.cell.consumer,
                "cleanup.policy" | "retention.ms" => &mut plan.cell.topic,
                _ => &mut plan.cell.producer,
            };
            scope.insert(name.clone(), value.clone());
        }
        let mut builder = Builder::new(plan);
        let mut imported = Imported::new(ImportFormat::Jepsen);
        imported.partitions = (0..self.partitions).map(|partition| partition.to_string()).collect();
        (imported.subscribes, imported.transactions) = (self.subscribes, self.transactions);
        builder.imported(imported);
        let tags = self.tags();
        let mut line = 0;
        for (index, ops) in (0..).zip(&self.processes) {
            let session = builder.open(Role::Client, index, 0);
            let mut seq = 0;
            for op in ops {
                line += 1;
                for step in &op.steps {
                    match step {
                        Micro::Send(sent) => {
                            let tag = Tag { producer: index, session: 0, seq };
                            seq += 1;
                            builder.send_valued(session, &send(op, sent, tag), &Value::Number(sent.value));
                        }
                        Micro::Poll(given) => {
                            builder.poll(session);
                            for each in given {
                                let tag = tags.get(&(each.partition, each.value)).copied();
                                let delivery = delivery(op, each, tag);
                                match tag {
                                    Some(_) => builder.deliver(session, &delivery),
                                    None => {
                                        let value = Value::Number(each.value);
                                        builder.deliver_foreign(session, &delivery, value)
                                    }
                                };
                            }
                        }
                    }
                }
                builder.operation(
                    session,
                    Ended {
                        function: op.function,
                        invoked: Nanos(op.invoked),
                        completed: op.completed.map(Nanos),
                        outcome: op.outcome,
                        line: Some(line),
                        detail: op.detail.clone(),
                    },
                );
            }
        }
        for (index, table) in (0..).zip(&self.tables) {
            read_back(&mut builder, index, table, &tags);
        }
        builder.finish()
    }
}

/// Adds a sink; its rows carry no offsets, only their own numbers.
fn read_back(builder: &mut Builder, index: u32, table: &Table, tags: &HashMap<(u32, i64), Tag>) {
    let sink = builder.open(Role::Sink, index, 0);
    builder.session(sink).closed = table.closed;
    for (number, row) in (0..).zip(&table.rows) {
        let tag = tags.get(row).copied();
        let delivery = Delivery {
            partition: Partition(row.0),
            offset: Offset(number),
            tag,
            contents: if tag.is_some() { Contents::Intact } else { Contents::Foreign },
            polled: Nanos(0),
            returned: Nanos(0),
        };
        match tag {
            Some(_) => builder.deliver(sink, &delivery),
            None => builder.deliver_foreign(sink, &delivery, Value::Number(row.1)),
        };
    }
}

fn send(op: &Op, sent: &Sent, tag: Tag) -> Send {
    Send {
        tag,
        key: sent.key,
        partition: Some(Partition(sent.partition)),
        offset: sent.offset.map(Offset),
        intended: Nanos(op.invoked),
        invoked: Nanos(op.invoked),
        completed: op.completed.map(Nanos),
        outcome: op.outcome,
        told: match (op.outcome, op.completed) {
            (Outcome::Ok, _) => Told::Acked,
            (_, Some(_)) => Told::Failed,
            (_, None) => Told::Nothing,
        },
        error: ErrorCode::NONE,
    }
}

fn delivery(op: &Op, given: &Given, tag: Option<Tag>) -> Delivery {
    Delivery {
        partition: Partition(given.partition),
        offset: Offset(given.offset),
        tag,
        contents: if tag.is_some() { Contents::Intact } else { Contents::Foreign },
        polled: Nanos(op.invoked),
        returned: Nanos(op.completed.unwrap_or(op.invoked)),
    }
}
