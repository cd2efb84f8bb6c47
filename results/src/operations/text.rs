//! The check of a history of generic operations, for a terminal.

use checkers::linearizability::{Answer, Judged, Report};
use history::exchange::operations::{Operation, Operations, TextId, plain};

use super::replay;

/// Objects told in full.
const OBJECTS_SHOWN: usize = 5;
/// Operations of the longest legal beginning that are shown, the last ones.
const PREFIX_SHOWN: usize = 12;

/// The findings as text, a line break at the end of each line; empty if every object is linearizable.
/// `initial` is a register's first value.
#[must_use]
pub fn render_operations(operations: &Operations, initial: TextId, report: &Report) -> String {
    let mut lines = Vec::new();
    // What is proved comes before what nobody can say.
    let (proved, open): (Vec<_>, Vec<_>) =
        report.judged.iter().partition(|judged| matches!(judged.answer, Answer::Not(_)));
    for judged in proved.iter().chain(&open).take(OBJECTS_SHOWN) {
        object(operations, initial, judged, &mut lines);
    }
    if report.judged.len() > OBJECTS_SHOWN {
        lines.push(format!("and {} more objects", report.judged.len() - OBJECTS_SHOWN));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn object(operations: &Operations, initial: TextId, judged: &Judged, lines: &mut Vec<String>) {
    let key = plain(operations.keys.get(judged.key));
    match &judged.answer {
        Answer::Linearizable => {}
        Answer::Unknown(why) => lines.push(format!("key {key}: indeterminate: {why}")),
        Answer::Not(flaws) => {
            for flaw in flaws {
                for (text, witnesses) in &flaw.examples {
                    let times =
                        if flaw.count > 1 { format!(" ({} times)", flaw.count) } else { String::new() };
                    lines.push(format!("key {key}: {}: {text}{times}", flaw.kind));
                    for op in witnesses {
                        lines.push(format!("    {}", line(operations, &operations.all[*op as usize])));
                    }
                }
            }
            beginning(operations, initial, judged, lines);
        }
    }
}

fn beginning(operations: &Operations, initial: TextId, judged: &Judged, lines: &mut Vec<String>) {
    let Some(stuck) = judged.stuck else { return };
    let count = judged.prefix.len();
    let first = count.saturating_sub(PREFIX_SHOWN);
    let states = replay::states(operations, initial, &judged.prefix);
    let last = if first > 0 { format!(", the last {PREFIX_SHOWN} of them") } else { String::new() };
    lines.push(format!("  longest legal beginning: {count} operations{last}, and the state after each"));
    for (place, (op, state)) in judged.prefix.iter().zip(&states).enumerate().skip(first) {
        let said = line(operations, &operations.all[*op as usize]);
        lines.push(format!("    {:>6}. {said}  =>  {state}", place + 1));
    }
    let said = line(operations, &operations.all[stuck as usize]);
    lines.push("  no place behind it for".to_owned());
    lines.push(format!("         !  {said}"));
}

/// One operation: where it is in the file, whose it is, what it did and when.
fn line(operations: &Operations, operation: &Operation) -> String {
    let returned = match operation.returned {
        i64::MAX => "never".to_owned(),
        returned => returned.to_string(),
    };
    format!(
        "line {} process {} [{} .. {returned}] {}",
        operation.line,
        plain(operations.processes.get(operation.process)),
        operation.call,
        operations.describe(operation)
    )
}
