//! `highwater explain`: one finding of a history, told as a story.

use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail, ensure};
use checkers::{CATALOG, Finding, Judgement};
use clap::{Args, ValueEnum};
use results::{RunDir, Story};
use serde::Serialize;

use super::check::ModelArgs;
use super::input::{From, InputArgs, Loaded};
use super::output::{self, ResultsArgs};
use super::{Failure, Outcome};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  highwater explain latest                       which findings there are
  highwater explain latest lost-write            the first of a kind
  highwater explain latest lost-write#3          the third
  highwater explain duplicate                    of the newest run
  highwater explain history.edn duplicate --set enable.idempotence=false";

/// Tell a finding as a story: what was promised, what was done, what each side saw
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct ExplainCommand {
    /// `latest`, the name of a run, its directory, or a history's file; alone, also `KIND` and `RUN:KIND`
    #[arg(value_name = "RUN|FILE")]
    input: String,
    /// Kind of a finding, and which of its witnesses, from 1 [default: list them]
    #[arg(value_name = "KIND[#N]")]
    finding: Option<String>,
    #[command(flatten)]
    from: InputArgs,
    #[command(flatten)]
    of: ModelArgs,
    #[command(flatten)]
    results: ResultsArgs,
    /// How to tell it
    #[arg(long, value_enum, default_value_t = ExplainFormat::Human, help_heading = "Output")]
    format: ExplainFormat,
    /// Write the finding's picture, where it has one (SVG)
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    picture: Option<PathBuf>,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum ExplainFormat {
    /// For a terminal
    Human,
    /// One object
    Json,
}

/// The line that tells a finding, for who has seen a verdict with findings; empty without any. `options` are
/// the words behind it.
pub(super) fn hint(name: &str, options: &str, judgement: &Judgement) -> String {
    judgement.findings.first().map_or_else(String::new, |finding| {
        format!("the story of one: highwater explain {name} {}{options}\n", finding.kind)
    })
}

/// What is to be explained.
#[derive(Debug, PartialEq, Eq)]
struct Address {
    input: String,
    /// The kind, and which witness of it, from 1.
    finding: Option<(&'static str, usize)>,
}

impl Address {
    /// `INPUT` and `KIND[#N]`; or in one word `INPUT:KIND[#N]`, or `KIND[#N]` of the newest run. What is there
    /// as a file is an input, whatever its name.
    fn parse(input: &str, finding: Option<&str>) -> anyhow::Result<Self> {
        let whole = |finding| Self { input: input.to_owned(), finding };
        if let Some(finding) = finding {
            return Ok(whole(Some(numbered(finding)?)));
        }
        if Path::new(input).exists() {
            return Ok(whole(None));
        }
        if let Some((input, finding)) = input.rsplit_once(':') {
            return Ok(Self { input: input.to_owned(), finding: Some(numbered(finding)?) });
        }
        let kind = input.split('#').next().unwrap_or_default();
        match kinds().any(|known| known == kind) {
            true => Ok(Self { input: "latest".to_owned(), finding: Some(numbered(input)?) }),
            false => Ok(whole(None)),
        }
    }
}

fn kinds() -> impl Iterator<Item = &'static str> {
    let records = CATALOG.iter().flat_map(|spec| spec.kinds).map(|kind| kind.name);
    // What else may be said of calls on objects has the name of its kind among records.
    records.chain(["non-linearizable"])
}

/// `KIND` or `KIND#N`.
fn numbered(text: &str) -> anyhow::Result<(&'static str, usize)> {
    let (kind, number) = text.split_once('#').unwrap_or((text, "1"));
    let Some(known) = kinds().find(|known| *known == kind) else {
        let near = kinds().max_by(|a, b| strsim::jaro(a, kind).total_cmp(&strsim::jaro(b, kind)));
        bail!("there is no kind of finding `{kind}` (did you mean `{}`?)", near.unwrap_or_default());
    };
    match number.parse() {
        Ok(number @ 1..) => Ok((known, number)),
        _ => bail!("`{number}` is no number of a finding (count from 1, as in `{kind}#1`)"),
    }
}

impl ExplainCommand {
    pub(super) fn execute(self) -> Outcome {
        let address = Address::parse(&self.input, self.finding.as_deref())?;
        if let Some((of, file)) = self.calls(&address)? {
            return self.tell_calls(&of, &file, &address);
        }
        ensure_usage(self.picture.is_none() || address.finding.is_some(), "--picture needs a finding")?;
        let loaded = self.from.load(std::slice::from_ref(&address.input), &self.results)?;
        let judgement = loaded.judge();
        let text = match address.finding {
            None => self.list(&loaded, &judgement)?,
            Some((kind, number)) => self.tell(&loaded, &judgement, kind, number)?,
        };
        output::print(&text)?;
        Ok(Exit::Held)
    }

    /// Calls on objects, in a file or a stored run.
    fn calls(&self, address: &Address) -> Result<Option<(ModelArgs, PathBuf)>, Failure> {
        match (self.from.from, self.of.model) {
            (Some(From::Operations) | None, Some(_)) => {
                Ok(Some((self.of.clone(), PathBuf::from(&address.input))))
            }
            (Some(_), Some(_)) => Err(anyhow!("--model is for --from operations (leave it out)").into()),
            (_, None) => match self.from.calls(&address.input, &self.results)? {
                Some((dir, calls)) => Ok(Some((ModelArgs::of(&calls)?, dir.calls()))),
                None => Ok(None),
            },
        }
    }

    /// Their story is the counterexample.
    fn tell_calls(&self, of: &ModelArgs, file: &Path, address: &Address) -> Outcome {
        self.from.refuse_settings()?;
        ensure_usage(
            self.picture.is_none(),
            "--picture is for records (`highwater check --html` draws calls)",
        )?;
        let name = &address.input;
        let done = of.judge_usually(file, name)?;
        if let Some((kind, _)) = address.finding
            && !done.judgement(name).findings.iter().any(|finding| finding.kind == kind)
        {
            return Err(anyhow!(
                "`{name}` has no finding `{kind}` (`highwater explain {name}` tells what it has)"
            )
            .into());
        }
        output::print(&match self.format {
            ExplainFormat::Human => done.human(),
            ExplainFormat::Json => done.json()?,
        })?;
        Ok(Exit::Held)
    }

    fn tell(
        &self,
        loaded: &Loaded,
        judgement: &Judgement,
        kind: &str,
        number: usize,
    ) -> anyhow::Result<String> {
        let name = &loaded.name;
        let of_kind: Vec<&Finding> =
            judgement.findings.iter().filter(|finding| finding.kind == kind).collect();
        if of_kind.is_empty() {
            bail!("`{name}` has no finding `{kind}` (`highwater explain {name}` lists those it has)");
        }
        let nodes = loaded.run.as_ref().map(RunDir::node_lines).unwrap_or_default();
        // What is legal and what is not are findings of their own, numbered through.
        let mut stories = of_kind
            .iter()
            .flat_map(|finding| (1..=finding.examples.len().max(1)).map(move |at| (*finding, at)));
        let chosen = stories.nth(number - 1).and_then(|(finding, at)| {
            Some((finding, Story::of(&loaded.history, judgement, finding, at, &nodes)?))
        });
        let Some((finding, mut story)) = chosen else {
            let count: u64 = of_kind.iter().map(|finding| finding.count).sum();
            let kept: usize = of_kind.iter().map(|finding| finding.examples.len().max(1)).sum();
            bail!(
                "of {count} findings `{kind}` the first {kept} have their witnesses kept (choose one of these)"
            );
        };
        story.file.clone_from(name);
        story.again = self.again(loaded, kind, number);
        match (&self.picture, &finding.picture) {
            (Some(path), Some(picture)) => output::write(path, picture)?,
            (Some(_), None) => bail!("a finding `{kind}` has no picture (leave out --picture)"),
            (None, _) => {}
        }
        Ok(match self.format {
            ExplainFormat::Human => story.text(output::terminal().0),
            ExplainFormat::Json => serde_json::to_string(&story)?,
        })
    }

    /// The lines that show it again: the run itself, if it was ours, its verdict, this story.
    fn again(&self, loaded: &Loaded, kind: &str, number: usize) -> Vec<String> {
        // What a name means depends on where one looks.
        let name =
            loaded.run.as_ref().map_or_else(|| loaded.name.clone(), |run| run.path().display().to_string());
        let options = self.from.again();
        let run = loaded.history.plan.rerun.clone();
        let check = format!("highwater check {name}{options}");
        let explain = format!("highwater explain {name} {kind}#{number}{options}");
        [run, check, explain].into_iter().filter(|line| !line.is_empty()).collect()
    }

    /// Every finding by its address.
    fn list(&self, loaded: &Loaded, judgement: &Judgement) -> anyhow::Result<String> {
        let name = &loaded.name;
        if self.format == ExplainFormat::Json {
            let findings = numbered_through(judgement).map(|(finding, first)| Listed::of(finding, first));
            let findings = findings.collect();
            let (file, headline) = (name, &judgement.headline);
            return Ok(serde_json::to_string(&List { schema_version: 1, file, headline, findings })?);
        }
        if judgement.findings.is_empty() {
            return Ok(format!("`{name}` has no findings: {}\n", judgement.headline));
        }
        let mut text = String::new();
        for (finding, first) in numbered_through(judgement) {
            let legal = if finding.allowed.is_some() { " (legal here)" } else { "" };
            text.push_str(&format!("{}{legal}: {}\n", finding.kind, finding.summary));
            for (number, witness) in (first..).zip(&finding.examples) {
                text.push_str(&format!("  {}#{number}  {}\n", finding.kind, witness.text));
            }
        }
        text.push_str(&format!("`highwater explain {name} KIND#N` tells one of them as a story\n"));
        Ok(text)
    }
}

/// Every finding, with the number of its first witness among those of its kind.
fn numbered_through(judgement: &Judgement) -> impl Iterator<Item = (&Finding, usize)> {
    let witnesses = |finding: &Finding| finding.examples.len().max(1);
    judgement.findings.iter().enumerate().map(move |(at, finding)| {
        let before = judgement.findings[..at].iter().filter(|other| other.kind == finding.kind);
        (finding, 1 + before.map(witnesses).sum::<usize>())
    })
}

/// What `--format json` prints without a finding. Its names are a contract.
#[derive(Serialize)]
struct List<'a> {
    schema_version: u32,
    file: &'a str,
    headline: &'a str,
    findings: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    kind: &'a str,
    checker: &'a str,
    count: u64,
    summary: &'a str,
    /// What each witness is called here (`lost-write#1`), and what it says.
    stories: Vec<(String, &'a str)>,
}

impl<'a> Listed<'a> {
    fn of(finding: &'a Finding, first: usize) -> Self {
        let stories = (first..).zip(&finding.examples);
        Self {
            kind: &finding.kind,
            checker: &finding.checker,
            count: finding.count,
            summary: &finding.summary,
            stories: stories
                .map(|(number, witness)| (format!("{}#{number}", finding.kind), witness.text.as_str()))
                .collect(),
        }
    }
}

fn ensure_usage(holds: bool, why: &'static str) -> anyhow::Result<()> {
    ensure!(holds, why);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_a_history_a_kind_and_a_number() {
        let at = |input: &str, finding| Address { input: input.to_owned(), finding };
        for (input, finding, expected) in [
            ("latest", None, at("latest", None)),
            ("latest", Some("lost-write"), at("latest", Some(("lost-write", 1)))),
            ("a b.edn", Some("duplicate#12"), at("a b.edn", Some(("duplicate", 12)))),
            ("latest:lost-write", None, at("latest", Some(("lost-write", 1)))),
            ("a:b/c.edn:duplicate#12", None, at("a:b/c.edn", Some(("duplicate", 12)))),
            ("duplicate#2", None, at("latest", Some(("duplicate", 2)))),
            ("duplicates", None, at("duplicates", None)),
        ] {
            assert_eq!(Address::parse(input, finding).unwrap(), expected);
        }
        for (input, finding, says) in [
            ("latest", Some("lost-wirte"), "did you mean `lost-write`?"),
            ("latest:lost-wirte", None, "did you mean `lost-write`?"),
            ("latest", Some("duplicate#0"), "count from 1"),
            ("duplicate#x", None, "`x` is no number"),
        ] {
            let error = Address::parse(input, finding).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
