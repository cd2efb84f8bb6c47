//! `highwater history import`: a history from elsewhere becomes a stored run, judged and listed like ours.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use history::exchange::operations::Model;
use history::{Cell, Plan};
use results::{Calls, StagedRun};

use crate::cli::check::ModelArgs;
use crate::cli::input::{From, InputArgs, Loaded};
use crate::cli::interrupt::Interrupt;
use crate::cli::output::{self, ResultsArgs};
use crate::cli::{Failure, Outcome};
use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  highwater history import history.edn --set acks=all --name redpanda-7
  highwater history import producer.log consumer.log --from verifiable
  highwater history import calls.jsonl --model register --init 0
  highwater history import run.jsonl --results /data/runs";

/// Store a history from elsewhere as a run
#[derive(Args, Debug)]
#[command(before_help = EXAMPLES)]
pub(super) struct Import {
    /// The file; with --from verifiable all files of one history
    #[arg(value_name = "FILE", required = true)]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    from: InputArgs,
    #[command(flatten)]
    of: ModelArgs,
    /// Name of the run [default: the file's, without its ending]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    name: Option<String>,
    #[command(flatten)]
    results: ResultsArgs,
}

/// Bytes that one session may take on disk: a bound where the file's size bounds it already.
const SESSION_BYTES_MAX: u64 = 1 << 36;

impl Import {
    pub(super) fn execute(self) -> Outcome {
        ensure_usage(
            self.inputs.len() == 1 || self.from.together(),
            "several files are one history only with --from verifiable (import the others one by one)",
        )?;
        let name = self.name.clone().unwrap_or_else(|| stem(&self.inputs[0]));
        ensure_usage(is_name(&name), "a run's name is a plain name of a directory (choose another --name)")?;
        match (self.from.from, self.of.model) {
            (Some(From::Operations) | None, Some(_)) => return self.store_calls(&name),
            (Some(_), Some(_)) => {
                return Err(anyhow!("--model is for --from operations (leave it out)").into());
            }
            (_, None) => {}
        }
        let inputs: Vec<String> = self.inputs.iter().map(|path| path.display().to_string()).collect();
        let loaded = self.from.load(&inputs, &self.results)?;
        ensure_usage(loaded.run.is_none(), "it is a stored run already (`highwater check` judges it)")?;
        if let Some(damage) = loaded.history.damage.first() {
            // Stored, it would look whole.
            let error = anyhow!(
                "the history is not whole: `{}` at byte {}: {} (`highwater check` judges it as it is)",
                damage.file,
                damage.at,
                damage.what
            );
            return Err(Failure::new(Exit::Indeterminate, error));
        }
        self.store(&name, loaded)
    }

    fn store(&self, name: &str, mut loaded: Loaded) -> Outcome {
        let interrupt = Interrupt::watch()?;
        let staged = self.stage(name)?;
        name.clone_into(&mut loaded.history.plan.run);
        let dir = staged.dir();
        history::store(&loaded.history, &dir.history(), SESSION_BYTES_MAX)
            .with_context(|| format!("failed to store run `{name}`"))?;
        if let Some(exit) = interrupt.exit() {
            return Ok(exit);
        }
        let judgement = loaded.judge();
        dir.write_plan(&loaded.history.plan)?;
        dir.write_verdict(&judgement)?;
        let summary = results::render_human(&loaded.history.plan, &judgement, output::WIDTH, false);
        dir.write_summary(&summary)?;
        if let Some(exit) = interrupt.exit() {
            return Ok(exit);
        }
        let run = staged.publish()?;
        for remark in &loaded.remarks {
            eprintln!("note: {remark}");
        }
        output::print(&format!(
            "{}: {} operations of {} processes, {}\n",
            run.path().display(),
            loaded.history.operation_count(),
            loaded.history.sessions.len(),
            results::word(judgement.word),
        ))?;
        Ok(Exit::Held)
    }
}

impl Import {
    fn stage(&self, name: &str) -> anyhow::Result<StagedRun> {
        StagedRun::create(&self.results.root(), name)
            .map_err(|error| anyhow!(error).context("failed to store the history (see --name, --results)"))
    }

    /// Calls on objects are kept in the file they came in, with what they are judged by.
    fn store_calls(&self, name: &str) -> Outcome {
        self.from.refuse_settings()?;
        let file = &self.inputs[0];
        let done = self.of.judge_usually(file, &file.display().to_string())?;
        let interrupt = Interrupt::watch()?;
        let staged = self.stage(name)?;
        let dir = staged.dir();
        let model = self.of.model.map(Model::name).unwrap_or_default();
        dir.write_calls(&Calls::new(model.to_owned(), self.of.init.clone()))?;
        fs::copy(file, dir.calls()).with_context(|| format!("failed to store run `{name}`"))?;
        dir.write_plan(&Plan::imported(name, Cell::default()))?;
        let judgement = done.judgement(name);
        dir.write_verdict(&judgement)?;
        dir.write_summary(&done.human())?;
        if let Some(exit) = interrupt.exit() {
            return Ok(exit);
        }
        let run = staged.publish()?;
        output::print(&format!("{}: {}\n", run.path().display(), judgement.headline))?;
        Ok(Exit::Held)
    }
}

fn ensure_usage(holds: bool, why: &'static str) -> anyhow::Result<()> {
    ensure!(holds, why);
    Ok(())
}

/// Whether a run may be called so: no path, nothing hidden, not the link to the newest.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0']) && name != "latest"
}

/// A file's name without its ending, as a name of a run.
fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect()
}
