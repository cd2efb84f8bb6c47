//! The report as Markdown, for a pull request or an issue.

use checkers::Judgement;
use history::Plan;

use crate::format::Format;
use crate::{lines, words};

/// Renders a report as Markdown.
#[must_use]
pub fn render_markdown(plan: &Plan, judgement: &Judgement) -> String {
    let mut text = format!("## {}: {}\n\n", words::word(judgement.word), judgement.headline);
    for caveat in &judgement.caveats {
        text.push_str(&format!("> **Caveat:** {caveat}\n>\n"));
    }
    if !judgement.caveats.is_empty() {
        text.push('\n');
    }
    let facts = [Some(lines::setting(plan)), lines::cell(plan)];
    text.push_str(&format!("{}\n", facts.into_iter().flatten().collect::<Vec<_>>().join("  \n")));
    if !judgement.guarantees.is_empty() {
        text.push('\n');
        text.push_str(&lines::verdict_rows(judgement).render(Format::Markdown));
    }
    section(&mut text, "What to change", lines::advice(judgement).into_iter().map(|line| (line, Vec::new())));
    section(&mut text, "Faults", judgement.faults.iter().map(|fault| (lines::fault(fault), Vec::new())));
    section(
        &mut text,
        "Findings",
        judgement.findings.iter().map(|finding| (lines::finding(finding), lines::witnesses(finding))),
    );
    let mut last = vec![lines::counts(judgement), lines::figures(judgement)];
    last.extend(lines::outages(judgement));
    last.extend(lines::latency(judgement));
    last.extend(lines::changed(plan, judgement));
    section(&mut text, "Figures", last.into_iter().map(|line| (line, Vec::new())));
    if !plan.rerun.is_empty() {
        text.push_str(&format!("\n```\n{}\n```\n", plan.rerun));
    }
    text
}

fn section(text: &mut String, title: &str, items: impl IntoIterator<Item = (String, Vec<String>)>) {
    let mut items = items.into_iter().peekable();
    if items.peek().is_none() {
        return;
    }
    text.push_str(&format!("\n### {title}\n\n"));
    for (item, details) in items {
        text.push_str(&format!("- {item}\n"));
        for detail in details {
            text.push_str(&format!("  - {detail}\n"));
        }
    }
}

#[cfg(test)]
mod tests;
