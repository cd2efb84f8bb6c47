//! A history of operations on single objects, and what the models of `check --model` say of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use checkers::linearizability::{Answer, Settings, check};
use history::exchange::operations::{Model, read};

use crate::Seen;
use crate::cluster::Cluster;

/// Operations, line by line.
#[derive(Default)]
pub(crate) struct Calls {
    text: String,
    called_at: u64,
}

impl Calls {
    /// An operation is called.
    pub(crate) fn calling(&mut self, cluster: &mut Cluster) {
        self.called_at = cluster.now().0;
    }

    /// It returned. No output: whether it took effect is not known.
    pub(crate) fn called(
        &mut self,
        cluster: &mut Cluster,
        process: usize,
        f: &str,
        key: &str,
        (input, output): (&str, Option<&str>),
    ) {
        let returned = output.map_or("null".to_owned(), |_| cluster.now().0.to_string());
        let (output, called) = (output.unwrap_or("null"), self.called_at);
        writeln!(
            self.text,
            r#"{{"process":{process},"f":"{f}","key":"{key}","input":{input},"output":{output},"call_ns":{called},"return_ns":{returned}}}"#,
        )
        .expect("text takes everything");
    }

    /// An operation that is over at once.
    pub(crate) fn call(
        &mut self,
        cluster: &mut Cluster,
        process: usize,
        f: &str,
        key: &str,
        io: (&str, &str),
    ) {
        self.calling(cluster);
        self.called(cluster, process, f, key, (io.0, Some(io.1)));
    }

    /// What its model says of it.
    pub(crate) fn judged(self, model: Model, initial: &str) -> Seen {
        let mut operations = read(self.text.as_bytes(), "canary", model).expect("operations");
        let initial = operations.values.add(initial);
        let settings = Settings { initial, timeout: Duration::from_secs(60), memory: 1 << 28 };
        let report = check(&operations, &settings);
        let mut kinds = BTreeMap::new();
        for judged in &report.judged {
            match &judged.answer {
                Answer::Not(flaws) => flaws.iter().for_each(|flaw| {
                    *kinds.entry(flaw.kind.to_owned()).or_default() += flaw.count;
                }),
                other => panic!("{other:?}"),
            }
        }
        Seen { kinds, broken: report.is_broken(), text: self.text }
    }
}
