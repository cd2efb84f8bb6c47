//! Mistakes on the command line as one line: what is wrong, where, and what would be right.

use clap::error::ErrorKind;

use super::absent;

/// One line for a parser's error; `None` if it is no error but help or the version, asked for.
pub(super) fn one_line(error: &clap::Error) -> Option<String> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return None;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let help = error.render().to_string();
        let usage = help.lines().find_map(|line| line.trim().strip_prefix("Usage: ")).unwrap_or_default();
        let command: Vec<&str> =
            usage.split(' ').take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect();
        return Some(match command.as_slice() {
            [] | [_] => {
                "no command (`highwater --help` shows them, `highwater run` is the main one)".to_owned()
            }
            command => {
                let command = command.join(" ");
                format!("no command after `{command}` (`{command} --help` shows them)")
            }
        });
    }
    if let Some(absent) = absent::not_built(error) {
        return Some(absent);
    }
    let text = error.render().to_string();
    let said: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .collect();
    let (tips, body): (Vec<&str>, Vec<&str>) =
        said.into_iter().partition(|line| line.starts_with("tip:") || line.starts_with("[possible values:"));
    let body = body.join(" ");
    let mut line = body.strip_prefix("error: ").unwrap_or(&body).to_owned();
    for tip in tips {
        let tip = tip.trim_start_matches("tip:").trim().trim_matches(['[', ']']);
        line.push_str(&format!(" ({tip})"));
    }
    Some(line.replace('\'', "`"))
}
