//! The parser is sound, and help leads with examples.

use clap::CommandFactory;

use super::*;

#[test]
fn the_parser_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_leads_with_examples() {
    let mut open = vec![Cli::command()];
    while let Some(mut command) = open.pop() {
        open.extend(command.get_subcommands().filter(|command| !command.is_hide_set()).cloned());
        let help = command.render_long_help().to_string();
        assert!(help.starts_with("Examples:\n"), "{help}");
        assert!(help.contains("Usage:"), "{help}");
        let examples = command.get_before_help().unwrap_or_default().to_string();
        assert!(examples.lines().all(|line| line.len() <= 96), "they fit a terminal: {examples}");
    }
}

#[test]
fn what_is_not_built_is_absent_from_help_and_lists() {
    let command = Cli::command();
    for absent in ["gate", "claims", "serve", "simulate"] {
        assert!(command.find_subcommand(absent).is_none());
        let error = Cli::try_parse_from(["highwater", absent, "--any", "flag"]).unwrap_err();
        let line = complaint(&error).unwrap();
        assert!(line.starts_with(&format!("command `{absent}` is not in this build")), "{line}");
    }
}

#[test]
fn the_examples_parse() {
    let mut open = vec![Cli::command()];
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands().filter(|command| !command.is_hide_set()).cloned());
        let examples = command.get_before_help().unwrap_or_default().to_string();
        for line in examples.lines().filter_map(|line| line.trim().strip_prefix("highwater ")) {
            // Remarks stand two spaces behind, and the shell takes what it is for.
            let line = line.split("  ").next().unwrap_or_default();
            let words = line.split(" > ").next().unwrap_or_default().split(' ');
            let parsed = Cli::try_parse_from(std::iter::once("highwater").chain(words));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}
