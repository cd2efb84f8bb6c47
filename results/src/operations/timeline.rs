//! Time as a picture: a self-contained HTML page with one SVG, a lane a process, the operations around a
//! violation as bars. Times are drawn by rank, so that a long pause takes no more room than a short one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use checkers::linearizability::{Answer, Judged, Report};
use history::exchange::operations::{Operation, Operations, TextId, plain};

use super::replay;

/// Operations drawn of one object: a page stays small however large the history.
const BARS_MAX: usize = 250;
/// Objects drawn.
const OBJECTS_MAX: usize = 10;
/// Pixels of a rank of time, of a lane, and left of the first bar.
const STEP: usize = 26;
const LANE: usize = 30;
const MARGIN: usize = 130;

const STYLE: &str = "body{font:14px system-ui,sans-serif;margin:2em;background:#fff;color:#222}svg{font:11px ui-monospace,monospace;overflow:visible}\
.wrap{overflow-x:auto;border:1px solid #ddd;margin:1em 0}.placed{fill:#cfe8cf;stroke:#4a8f4a}.other{fill:#eee;stroke:#aaa}\
.witness{fill:#ffe0a8;stroke:#c98a00}.stuck{fill:#f6b0b0;stroke:#b00000;stroke-width:2}.lane{stroke:#eee}.unknown{stroke-dasharray:4 3}\
rect:hover{stroke-width:3}li{font-family:ui-monospace,monospace}";

/// The page; `title` names the history, `initial` is a register's first value.
#[must_use]
pub fn render_timeline(operations: &Operations, initial: TextId, report: &Report, title: &str) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style></head><body><h1>{0}</h1>",
        escape(title)
    );
    let drawn: Vec<&Judged> =
        report.judged.iter().filter(|judged| matches!(judged.answer, Answer::Not(_))).collect();
    if drawn.is_empty() {
        page.push_str("<p>No object is known not to be linearizable.</p>");
    }
    for judged in drawn.iter().take(OBJECTS_MAX) {
        object(operations, initial, judged, &mut page);
    }
    if drawn.len() > OBJECTS_MAX {
        let _ = write!(page, "<p>{} more objects are not drawn.</p>", drawn.len() - OBJECTS_MAX);
    }
    page.push_str("</body></html>\n");
    page
}

fn object(operations: &Operations, initial: TextId, judged: &Judged, page: &mut String) {
    let _ = write!(page, "<h2>key {}</h2><ul>", escape(&plain(operations.keys.get(judged.key))));
    let mut witnesses = BTreeSet::new();
    if let Answer::Not(flaws) = &judged.answer {
        for (flaw, (text, operations)) in
            flaws.iter().flat_map(|flaw| flaw.examples.iter().map(move |example| (flaw, example)))
        {
            let _ = write!(page, "<li>{}: {}</li>", flaw.kind, escape(text));
            witnesses.extend(operations.iter().copied());
        }
    }
    if let Some(stuck) = judged.stuck {
        let _ = write!(
            page,
            "<li>longest legal beginning: {} operations; no place behind it for line {}: {}</li>",
            judged.prefix.len(),
            operations.all[stuck as usize].line,
            escape(&operations.describe(&operations.all[stuck as usize]))
        );
    }
    page.push_str("</ul><p>Green: the longest legal beginning, numbered in its order. Red: has no place. Orange: the proof. Grey: not placed. Hover for details.</p>");
    let shown = around(operations, judged, &witnesses);
    draw(operations, initial, judged, &witnesses, &shown, page);
}

/// The operations to draw: the proof, the end of the beginning, and what else was going on then.
fn around(operations: &Operations, judged: &Judged, witnesses: &BTreeSet<u32>) -> Vec<u32> {
    let mut shown: BTreeSet<u32> = witnesses.iter().copied().chain(judged.stuck).collect();
    shown.extend(judged.prefix.iter().rev().take(BARS_MAX / 2));
    let focus = judged.stuck.or(witnesses.first().copied()).map_or(0, |op| operations.all[op as usize].call);
    let mut others: Vec<(u64, u32)> = (0..)
        .zip(&operations.all)
        .filter(|(op, operation)| operation.key == judged.key && !shown.contains(op))
        .map(|(op, operation)| (operation.call.abs_diff(focus), op))
        .collect();
    others.sort_unstable();
    let room = BARS_MAX.saturating_sub(shown.len());
    shown.extend(others.into_iter().take(room).map(|(_, op)| op));
    shown.into_iter().collect()
}

fn draw(
    operations: &Operations,
    initial: TextId,
    judged: &Judged,
    witnesses: &BTreeSet<u32>,
    shown: &[u32],
    page: &mut String,
) {
    let at = |op: &u32| &operations.all[*op as usize];
    let times: BTreeSet<i64> =
        shown.iter().flat_map(|op| [at(op).call, at(op).returned]).filter(|time| *time != i64::MAX).collect();
    let ranks: BTreeMap<i64, usize> = times.into_iter().zip(0..).collect();
    let right = MARGIN + (ranks.len() + 1) * STEP;
    let x = |time: i64| ranks.get(&time).map_or(right, |rank| MARGIN + rank * STEP);
    let lanes = lanes(operations, shown);
    let height = lanes.count * LANE + 10;
    let states = replay::states(operations, initial, &judged.prefix);
    let placed: BTreeMap<u32, usize> = judged.prefix.iter().copied().zip(0..).collect();
    let _ = write!(
        page,
        "<div class=\"wrap\"><svg width=\"{}\" height=\"{height}\" role=\"img\" aria-label=\"timeline\">",
        right + 20
    );
    for (lane, process) in &lanes.names {
        let y = lane * LANE;
        let name = escape(&shorten(&plain(operations.processes.get(*process)), 14));
        let _ = write!(
            page,
            "<line class=\"lane\" x1=\"0\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\"/><text x=\"4\" y=\"{}\">process {name}</text>",
            y + 20
        );
    }
    for op in shown {
        let operation = at(op);
        let place = placed.get(op);
        let class = match place {
            _ if judged.stuck == Some(*op) => "stuck",
            _ if witnesses.contains(op) => "witness",
            Some(_) => "placed",
            None => "other",
        };
        let unknown = if operation.returned == i64::MAX { " unknown" } else { "" };
        let (left, end, y) = (x(operation.call), x(operation.returned), lanes.of[op] * LANE + 4);
        let width = (end - left).max(4);
        let mut label = operations.describe(operation);
        if let Some(place) = place {
            label = format!("{}. {label}", place + 1);
        }
        let _ = write!(
            page,
            "<g><title>{}</title><rect class=\"{class}{unknown}\" x=\"{left}\" y=\"{y}\" width=\"{width}\" height=\"{}\" rx=\"3\"/><text x=\"{}\" y=\"{}\" pointer-events=\"none\">{}</text></g>",
            escape(&hover(operations, operation, place.map(|place| states[*place].as_str()))),
            LANE - 8,
            left + 4,
            y + 15,
            escape(&shorten(&label, (width / 7).max(2)))
        );
    }
    page.push_str("</svg></div>");
}

fn hover(operations: &Operations, operation: &Operation, state: Option<&str>) -> String {
    let returned = match operation.returned {
        i64::MAX => "never returned".to_owned(),
        returned => format!("returned {returned}"),
    };
    let state = state.map_or(String::new(), |state| format!("\nstate after it: {state}"));
    let said = operations.describe(operation);
    format!("line {}: {said}\ncalled {}, {returned}{state}", operation.line, operation.call)
}

/// Where the bars go: a lane a process, more where its operations overlap.
struct Lanes {
    of: BTreeMap<u32, usize>,
    /// The first lane of each process.
    names: Vec<(usize, TextId)>,
    count: usize,
}

fn lanes(operations: &Operations, shown: &[u32]) -> Lanes {
    let mut by_process: BTreeMap<TextId, Vec<u32>> = BTreeMap::new();
    for op in shown {
        by_process.entry(operations.all[*op as usize].process).or_default().push(*op);
    }
    let mut lanes = Lanes { of: BTreeMap::new(), names: Vec::new(), count: 0 };
    for (process, mut own) in by_process {
        own.sort_unstable_by_key(|op| operations.all[*op as usize].call);
        let mut ends: Vec<i64> = Vec::new();
        for op in own {
            let operation = &operations.all[op as usize];
            let free = ends.iter().position(|end| *end <= operation.call).unwrap_or(ends.len());
            if free == ends.len() {
                ends.push(i64::MIN);
            }
            ends[free] = operation.returned;
            lanes.of.insert(op, lanes.count + free);
        }
        lanes.names.push((lanes.count, process));
        lanes.count += ends.len();
    }
    lanes
}

fn shorten(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
