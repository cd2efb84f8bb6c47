//! The effective settings: what clients and brokers read back, else what the plan says, else what is
//! assumed of a history that tells nothing (`guarantees.md` §5).

use std::collections::BTreeMap;

use history::event::Role;
use history::view::Function;
use history::{ErrorCode, History, ImportFormat, Note, TargetKind};

use super::derived::is_foreign;
use super::retries;
use crate::guarantees::{Acks, Commits, Effects, Envelope, GroupTerms, Terms};

/// Kafka's default of `leader.imbalance.check.interval.seconds`.
const REBALANCE_S: u64 = 300;
/// What set-up, healing and the drain may take besides the load.
const AROUND_MS: u64 = 180_000;

/// The rules' inputs, and what had to be assumed, as `name=value`.
pub(super) fn read(history: &History) -> (Terms, Vec<String>) {
    let mut reader = Reader { history, assumed: Vec::new() };
    let acks = reader.producer(&["acks", "request.required.acks"], parse_acks, std::cmp::min, "all");
    let idempotent = reader.producer(&["enable.idempotence"], parse_bool, std::cmp::min, "true");
    let retries_allowed = reader.producer(
        &["retries", "message.send.max.retries"],
        |text| text.parse::<u64>().ok(),
        std::cmp::max,
        "2147483647",
    );
    let replicas = reader.topic("replication.factor", |text| text.parse().ok(), "3");
    let min_isr = reader.topic("min.insync.replicas", |text| text.parse().ok(), "2");
    let unclean = reader.topic("unclean.leader.election.enable", parse_bool, "false");
    let rebalances = rebalances(history);
    let flush_each = reader.flushes_each();
    let read_committed = reader.read_committed();
    let transactional = transactional(history);
    let strict_serializable = reader.promised("strict-serializable");
    let mut details = history.sessions.iter().flat_map(|session| session.details());
    let commits = details.any(|detail| !detail.committed.is_empty());
    let group = group(history);
    let sinks = history.of(Role::Sink).next().is_some();
    let effects = effects(history).and_then(Effects::of);
    let foreign = is_foreign(history);
    let undisturbed = !foreign
        && retries(history) == 0
        && !history
            .of(Role::Producer)
            .any(|session| session.notes.iter().any(|(_, note)| matches!(note, Note::ClientError { .. })));
    let gave_up = history.sends().any(|send| send.error == ErrorCode::MSG_TIMED_OUT);
    let envelope =
        if foreign { Envelope::unknown() } else { Envelope::of(&history.plan.schedule, history.plan.nodes) };
    let assumed = reader.assumed;
    let retry = retries_allowed > 0;
    let terms = Terms {
        acks,
        min_isr,
        replicas,
        unclean,
        rebalances,
        idempotent,
        flush_each,
        retry,
        undisturbed,
        gave_up,
        read_committed,
        transactional,
        strict_serializable,
        commits,
        group,
        sinks,
        effects,
        envelope,
    };
    (terms, assumed)
}

/// The word that says how often each record takes effect, if anybody says so.
pub(super) fn effects(history: &History) -> Option<&str> {
    told(history, "effects")
}

/// What the plan says of a setting that no client and no broker knows, in whichever scope.
fn told<'h>(history: &'h History, name: &str) -> Option<&'h str> {
    let cell = &history.plan.cell;
    let scopes = [&cell.topic, &cell.producer, &cell.consumer, &cell.broker, &cell.librdkafka];
    scopes.iter().find_map(|scope| scope.get(name)).map(String::as_str)
}

/// How the members of the run's group commit and begin, as they say themselves; where they differ, what the rules
/// must reckon with.
fn group(history: &History) -> Option<GroupTerms> {
    let of = |session: &history::Session| {
        let told = |name: &str| session.effective.get(name).map(String::as_str);
        // Who says nothing is held to the least.
        let commits = told("commit").and_then(Commits::of).unwrap_or(Commits::First);
        let earliest = ["earliest", "smallest", "beginning"];
        let skips_the_start = !told("auto.offset.reset").is_some_and(|reset| earliest.contains(&reset));
        GroupTerms { commits, skips_the_start }
    };
    history.of(Role::Member).map(of).reduce(|one, other| GroupTerms {
        commits: one.commits.min(other.commits),
        skips_the_start: one.skips_the_start || other.skips_the_start,
    })
}

/// Whether leadership may go back to a preferred replica by itself within the run. The controller looks for that
/// an interval after its own start, which for a cluster of the run's own is after the run.
fn rebalances(history: &History) -> bool {
    let plan = &history.plan;
    let setting = |name: &str| plan.cell.broker.get(name).map(String::as_str);
    let every_s = setting("leader.imbalance.check.interval.seconds").and_then(|text| text.parse().ok());
    let first_ms = every_s.unwrap_or(REBALANCE_S).saturating_mul(1000);
    let run_ms = plan.load.duration_ms.saturating_add(AROUND_MS);
    let too_late = plan.target == TargetKind::Reference && first_ms > run_ms;
    setting("auto.leader.rebalance.enable") != Some("false") && !too_late
}

/// Whether anything was done in transactions.
fn transactional(history: &History) -> bool {
    if let Some(imported) = &history.imported
        && (imported.transactions || imported.format == ImportFormat::Jepsen)
    {
        return imported.transactions;
    }
    history.sessions.iter().any(|session| {
        session.effective.get("transactional.id").is_some_and(|id| !id.is_empty())
            || session.recorded().any(|operation| operation.function == Function::Txn)
    })
}

struct Reader<'a> {
    history: &'a History,
    assumed: Vec<String>,
}

impl Reader<'_> {
    /// A producer setting by its names (librdkafka has aliases; the first is Kafka's). Where sessions
    /// differ, `choose` picks the value that the rules must reckon with.
    fn producer<T>(
        &mut self,
        names: &[&str],
        parse: fn(&str) -> Option<T>,
        choose: fn(T, T) -> T,
        otherwise: &str,
    ) -> T {
        let any = |settings: &BTreeMap<String, String>| {
            names.iter().find_map(|name| settings.get(*name)).and_then(|text| parse(text))
        };
        let effective = self.history.of(Role::Producer).filter_map(|session| any(&session.effective));
        let cell = &self.history.plan.cell;
        effective
            .reduce(choose)
            .or_else(|| any(&cell.librdkafka))
            .or_else(|| any(&cell.producer))
            .unwrap_or_else(|| self.assume(names[0], parse, otherwise))
    }

    /// A topic setting; brokers give the default of some.
    fn topic<T>(&mut self, name: &str, parse: fn(&str) -> Option<T>, otherwise: &str) -> T {
        let told = self.history.notes().filter_map(|(_, _, note)| match note {
            Note::EffectiveTopic { settings } => settings.get(name).and_then(|text| parse(text)),
            _ => None,
        });
        let cell = &self.history.plan.cell;
        told.last()
            .or_else(|| cell.topic.get(name).and_then(|text| parse(text)))
            .or_else(|| cell.broker.get(name).and_then(|text| parse(text)))
            .unwrap_or_else(|| self.assume(name, parse, otherwise))
    }

    /// Whether every record is synced before it is acknowledged, by the topic's setting or the brokers'.
    fn flushes_each(&self) -> bool {
        let cell = &self.history.plan.cell;
        let told = self.history.notes().filter_map(|(_, _, note)| match note {
            Note::EffectiveTopic { settings } => settings.get("flush.messages"),
            _ => None,
        });
        let effective = told
            .last()
            .or_else(|| cell.topic.get("flush.messages"))
            .or_else(|| cell.broker.get("log.flush.interval.messages"));
        effective.is_some_and(|messages| messages == "1")
    }

    /// Whether readers are given committed records only: every reader says so, or the plan, else librdkafka's
    /// default (which is not the Java client's). Drains read both on purpose and do not count.
    fn read_committed(&mut self) -> bool {
        let name = "isolation.level";
        let readers = self.history.log_sessions().filter(|session| session.role != Role::Drain);
        let told = readers.filter_map(|session| session.effective.get(name)).map(String::as_str);
        let cell = &self.history.plan.cell;
        let planned = || cell.librdkafka.get(name).or_else(|| cell.consumer.get(name)).map(String::as_str);
        let parse = |level: &str| Some(level != "read_uncommitted");
        match told.filter_map(parse).reduce(std::cmp::min).or_else(|| planned().and_then(parse)) {
            Some(committed) => committed,
            None if self.tells_nothing() || is_foreign(self.history) => {
                self.assume(name, parse, "read_committed")
            }
            None => true,
        }
    }

    /// Whether the user says that the target promises this, beyond what Kafka does.
    fn promised(&self, name: &str) -> bool {
        told(self.history, name) == Some("true")
    }

    fn assume<T>(&mut self, name: &str, parse: fn(&str) -> Option<T>, value: &str) -> T {
        self.assumed.push(format!("{name}={value}"));
        parse(value).expect("an assumed value is well formed")
    }

    /// The history and its plan name no setting at all, as an imported one.
    fn tells_nothing(&self) -> bool {
        let cell = &self.history.plan.cell;
        self.history.sessions.iter().all(|session| session.effective.is_empty())
            && [&cell.topic, &cell.producer, &cell.consumer, &cell.broker, &cell.librdkafka]
                .iter()
                .all(|settings| settings.is_empty())
    }
}

fn parse_acks(text: &str) -> Option<Acks> {
    match text {
        "0" => Some(Acks::None),
        "1" => Some(Acks::Leader),
        "all" | "-1" => Some(Acks::All),
        _ => None,
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    text.parse().ok()
}
