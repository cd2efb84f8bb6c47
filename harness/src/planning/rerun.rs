//! The command line that runs a plan again: the flags that differ from their defaults, and the seed.

use std::fmt::Display;

use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};
use targets::kafka::properties::{REDACTED, is_secret};

use crate::cli::flags::{GuardArgs, LoadArgs, PlanArgs, SettingsArgs, TargetArgs};
use crate::cli::quantity::{Rate, write_duration};

/// The flags alone, as a command line of their own.
#[derive(Parser)]
#[command(name = "highwater run", no_binary_name = true)]
struct Bare {
    #[command(flatten)]
    plan: PlanArgs,
}

/// Parses flags that did not come from the command line.
pub(super) fn parse(words: &[String]) -> Result<PlanArgs, clap::Error> {
    let matches = Bare::command().try_get_matches_from(words)?;
    Bare::from_arg_matches(&matches).map(|bare| bare.plan)
}

/// The line. Secrets given by `-X` are hidden, so that such a line has to be completed by hand.
pub(super) fn line(args: &PlanArgs, seed: u64) -> String {
    let mut line = "highwater run".to_owned();
    for word in words(args, seed) {
        line.push(' ');
        line.push_str(&quoted(&word));
    }
    line
}

fn words(args: &PlanArgs, seed: u64) -> Vec<String> {
    let defaults = super::defaults();
    let mut words = Words(Vec::new());
    // Taken apart, so that a new flag cannot be forgotten here.
    let PlanArgs { target, load, settings, nemesis, overlap, flaw, guard, seed: _, max_disk, max_duration } =
        args;
    let TargetArgs { target, bootstrap, cluster, topic, allow_existing_topic, keep_topics } = target;
    if *target != defaults.target.target {
        let name = target.to_possible_value().map(|value| value.get_name().to_owned());
        words.maybe("--target", name.as_ref());
    }
    words.maybe("--bootstrap", bootstrap.as_ref());
    words.maybe("--cluster", cluster.as_ref().map(|path| path.display()).as_ref());
    let GuardArgs { allow_destructive, confirm_cluster_id, allow_quorum_loss } = guard;
    words.switch("--allow-destructive", *allow_destructive);
    words.maybe("--confirm-cluster-id", confirm_cluster_id.as_ref());
    words.switch("--allow-quorum-loss", *allow_quorum_loss);
    words.maybe("--topic", topic.as_ref());
    words.switch("--allow-existing-topic", *allow_existing_topic);
    words.switch("--keep-topics", *keep_topics);

    let LoadArgs {
        workload,
        duration,
        rate,
        records,
        partitions,
        producers,
        consumers,
        payload_bytes,
        keys,
        sync,
    } = load;
    let usual = &defaults.load;
    words.unless(&usual.workload, "--workload", workload);
    words.maybe("--duration", duration.map(write_duration).as_ref());
    if *rate != usual.rate {
        words.maybe(
            "--rate",
            Some(&match rate {
                Rate::PerSecond(rate) => rate.to_string(),
                Rate::Max => "max".to_owned(),
            }),
        );
    }
    words.maybe("--records", records.as_ref());
    words.unless(&usual.partitions, "--partitions", partitions);
    words.unless(&usual.producers, "--producers", producers);
    words.maybe("--consumers", consumers.as_ref());
    words.unless(&usual.payload_bytes, "--payload-bytes", payload_bytes);
    words.unless(&usual.keys, "--keys", keys);
    words.switch("--sync", *sync);

    let SettingsArgs { set, property, config, profile } = settings;
    for (name, value) in set {
        words.maybe("--set", Some(&format!("{name}={value}")));
    }
    for (name, value) in property {
        let value = if is_secret(name) { REDACTED } else { value };
        words.maybe("-X", Some(&format!("{name}={value}")));
    }
    words.maybe("--config", config.as_ref().map(|path| path.display()).as_ref());
    let profile = profile.and_then(|profile| Some(profile.to_possible_value()?.get_name().to_owned()));
    words.maybe("--profile", profile.as_ref());

    words.switch("--overlap", *overlap);
    words.maybe("--nemesis", nemesis.as_ref().map(|names| names.join(",")).as_ref());
    words.maybe("--flaw", flaw.as_ref());
    words.unless(&defaults.max_disk, "--max-disk", max_disk);
    words.maybe("--max-duration", max_duration.map(write_duration).as_ref());
    words.maybe("--seed", Some(&seed));
    words.0
}

struct Words(Vec<String>);

impl Words {
    fn maybe<T: Display>(&mut self, flag: &str, value: Option<&T>) {
        if let Some(value) = value {
            self.0.extend([flag.to_owned(), value.to_string()]);
        }
    }

    fn unless<T: PartialEq + Display>(&mut self, usual: &T, flag: &str, value: &T) {
        self.maybe(flag, (value != usual).then_some(value));
    }

    fn switch(&mut self, flag: &str, on: bool) {
        if on {
            self.0.push(flag.to_owned());
        }
    }
}

/// Quotes a word for a POSIX shell, if it needs it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:/=@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> PlanArgs {
        parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_line_of_a_default_run_is_short() {
        assert_eq!(line(&parsed(&[]), 7), "highwater run --seed 7");
    }

    #[test]
    fn every_flag_comes_back() {
        for flags in [
            &["--target", "kafka", "--bootstrap", "a:1,b:2", "--topic", "t", "--allow-existing-topic"][..],
            &["--target", "kafka", "--cluster", "c.toml", "--allow-destructive", "--confirm-cluster-id", "x"],
            &["--target", "lab", "--allow-quorum-loss"],
            &["--keep-topics", "--duration", "1500ms", "--rate", "max", "--records", "9", "--sync"],
            &["--partitions", "1", "--producers", "3", "--consumers", "0", "--payload-bytes", "32"],
            &["--keys", "5", "--set", "acks=1", "--set", "client.id=it's me", "-X", "linger.ms=2"],
            &[
                "--config",
                "a b.properties",
                "--profile",
                "production",
                "--nemesis",
                "kill,pause",
                "--overlap",
            ],
            &["--flaw", "ack-before-append", "--max-disk", "1MiB", "--max-duration", "1m"],
        ] {
            let args = parsed(flags);
            let again = parse(&words(&args, 7)).unwrap();
            assert_eq!(again, PlanArgs { seed: Some(7), ..args });
        }
    }

    #[test]
    fn words_are_quoted_and_secrets_are_hidden() {
        let args = parsed(&["-X", "sasl.password=hush", "--set", "client.id=it's me"]);
        assert_eq!(
            line(&args, 1),
            r"highwater run --set 'client.id=it'\''s me' -X 'sasl.password=***' --seed 1"
        );
    }
}
