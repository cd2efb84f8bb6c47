//! This machine: what a lab needs, and what earlier commands left.

use targets::lab;
use targets::nodes;

use super::look::{Look, State};
use crate::state;

const HERE: &str = "this machine";

pub(super) fn look(clean: bool) -> anyhow::Result<Vec<Look>> {
    let mut looks = Vec::new();
    let mut add = |what: &str, state, text: String| looks.push(Look::new(HERE, what, state, text));
    let missing = lab::missing_tools();
    for (tool, package) in lab::TOOLS {
        if missing.iter().any(|(other, _)| other == tool) {
            add(tool, State::Missing, format!("a lab needs it (apt-get install {package})"));
        } else {
            add(tool, State::Ok, "is there".to_owned());
        }
    }
    let root = nix::unistd::Uid::effective().is_root();
    let state = if root { State::Ok } else { State::Missing };
    add("root", state, if root { "yes" } else { "a lab needs it (sudo highwater lab up)" }.to_owned());
    let open = state::journal()?.entries()?;
    if open.is_empty() {
        add("undo journal", State::Ok, "no fault is open".to_owned());
    } else {
        let text = format!("{} faults are open (highwater nemesis undo --all)", open.len());
        add("undo journal", State::Failed, text);
    }
    let abandoned = nodes::abandoned(clean)?;
    let named: Vec<_> = abandoned.iter().map(|folder| folder.display().to_string()).collect();
    match (named.as_slice(), clean) {
        ([], _) => add("leftovers", State::Ok, "none".to_owned()),
        (named, true) => add("leftovers", State::Ok, format!("removed {}", named.join(", "))),
        (named, false) => {
            let text =
                format!("folders of processes that are gone: {} (--clean removes them)", named.join(", "));
            add("leftovers", State::Note, text);
        }
    }
    if let Ok(left) = lab::leftovers(&state::lab())
        && !left.is_empty()
    {
        add("lab", State::Note, format!("{left} (highwater lab down)"));
    }
    Ok(looks)
}
