//! The report for a terminal: the verdict first, then what it rests on, then how to see it again.

use checkers::{Judgement, Word};
use history::Plan;

use crate::format::Format;
use crate::table::wrap;
use crate::{lines, words};

/// Renders a report at most `width` columns wide (100 where the terminal does not tell), with ANSI colours
/// if `color`.
#[must_use]
pub fn render_human(plan: &Plan, judgement: &Judgement, width: usize, color: bool) -> String {
    let mut page = Page { text: String::new(), width };
    let word = words::word(judgement.word).to_uppercase();
    let mut headline = wrap(&format!("{word}: {}", judgement.headline), width, "  ");
    if color {
        headline = headline.replacen(&word, &painted(&word, judgement.word), 1);
    }
    page.text.push_str(&headline);
    for caveat in &judgement.caveats {
        page.line(&format!("!! {caveat}"), "   ");
    }
    page.line(&lines::setting(plan), "  ");
    if let Some(cell) = lines::cell(plan) {
        page.line(&cell, "  ");
    }
    if !judgement.guarantees.is_empty() {
        page.text.push('\n');
        page.text.push_str(&lines::verdict_rows(judgement).render(Format::Human { width, color }));
    }
    page.section("what to change", lines::advice(judgement).into_iter().map(|line| (line, Vec::new())));
    page.section("faults", judgement.faults.iter().map(|fault| (lines::fault(fault), Vec::new())));
    page.section(
        "findings",
        judgement.findings.iter().map(|finding| (lines::finding(finding), lines::witnesses(finding))),
    );
    page.text.push('\n');
    page.line(&lines::counts(judgement), "  ");
    page.line(&lines::figures(judgement), "  ");
    if let Some(outages) = lines::outages(judgement) {
        page.line(&outages, "  ");
    }
    for line in lines::changed(plan, judgement) {
        page.line(&line, "  ");
    }
    if !plan.rerun.is_empty() {
        // Never wrapped: it is there to be copied.
        page.text.push_str(&format!("again: {}\n", plan.rerun));
    }
    page.text
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn line(&mut self, line: &str, indent: &str) {
        self.text.push_str(&wrap(line, self.width, indent));
    }

    /// A title and a list, unless the list is empty.
    fn section(&mut self, title: &str, items: impl IntoIterator<Item = (String, Vec<String>)>) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_none() {
            return;
        }
        self.text.push_str(&format!("\n{title}\n"));
        for (item, details) in items {
            self.line(&format!("  {item}"), "    ");
            for detail in details {
                self.line(&format!("    - {detail}"), "      ");
            }
        }
    }
}

fn painted(text: &str, word: Word) -> String {
    let color = words::color(word);
    match color.as_ansi_str() {
        Some(color) => format!("{}{text}{}", color.get_prefix(), color.get_suffix()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
