//! From flags to a plan: everything that can be refused is refused here, before anything is started.

mod administration;
mod config_file;
mod hosts;
pub(crate) mod matrix;
mod rerun;
pub(crate) mod seed;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use broker::flaws::{FLAWS, FlawSpec};
use history::plan::PLAN_VERSION;
use history::{FaultClass, Load, Plan, PlannedFault, Role, TargetKind};
use nemesis::{Timings, script};
use workloads::Consumers;

use crate::cli::flags::{LoadArgs, NO_NEMESIS, PlanArgs};
use crate::cli::quantity::{self, Rate};
pub(crate) use hosts::Hosts;
pub(crate) use settings::{promised, told};

/// Brokers of the reference cluster.
const NODES: u32 = 3;

/// A plan, and what must not be stored with it.
#[derive(Debug)]
pub(crate) struct Drawn {
    /// The plan.
    pub(crate) plan: Plan,
    /// Client properties as given, secrets included.
    pub(crate) secrets: BTreeMap<String, String>,
    /// The hosts whose brokers may be broken, unless they are the reference cluster's.
    pub(crate) hosts: Option<Hosts>,
}

/// Draws a plan. The same flags with the same seed draw the same plan, but for the name of the run and
/// what follows from it.
///
/// # Errors
/// What is wrong with the flags, where, and what would be right.
pub(crate) fn plan(args: &PlanArgs) -> anyhow::Result<Drawn> {
    let target = TargetKind::from(args.target.target);
    let seed = match args.seed {
        Some(seed) => seed,
        None => seed::draw().context("failed to draw a seed from the operating system (give --seed N)")?,
    };
    let mut verbatim = verbatim(args)?;
    let moves_clocks =
        args.nemesis.iter().flatten().filter_map(|word| class(word)).any(FaultClass::moves_clock);
    let hosts = hosts::find(args, target, moves_clocks)?;
    for (name, value) in hosts.iter().flat_map(|hosts| &hosts.file.kafka) {
        // What was said for this run goes before what the file says of its cluster.
        verbatim.entry(name.clone()).or_insert_with(|| value.clone());
    }
    let bootstrap = bootstrap(args, target, hosts.as_ref(), &mut verbatim)?;
    if let Some(flaw) = args.flaw.as_ref().filter(|_| target != TargetKind::Reference) {
        bail!("flaw `{flaw}` can be planted in the reference broker only (leave out --target {target})");
    }
    if let Some(FlawSpec { name, needs, workload, .. }) = flaw_spec(args)
        && *workload != Some(args.load.workload.as_str())
    {
        bail!(
            "flaw `{name}` does not show under workload `{}`: it needs {needs} (point clients of your own at `highwater cluster up --flaw {name}`)",
            args.load.workload
        );
    }
    let nodes = match (target, &hosts) {
        (TargetKind::Reference, _) => NODES,
        (_, Some(hosts)) => hosts.brokers,
        (_, None) => 0,
    };
    let workload = workloads::find(&args.load.workload)
        .with_context(|| format!("there is no workload `{}`", args.load.workload))?;
    let ground = settings::Ground { target, nodes, hosts: hosts.as_ref(), workload };
    let settings::Settled { cell, profile, filled_in } =
        settings::settle(&args.settings, flaw_settings(args), &ground, &verbatim)?;
    let nemeses = nemeses(args, target, hosts.is_some())?;
    let is_administrative = |word: &str| class(word).is_some_and(FaultClass::is_administrative);
    let breaks = |word: &&String| applications(word).is_none() && !is_administrative(word);
    let of_cluster: Vec<_> = nemeses.iter().filter(breaks).cloned().collect();
    for word in &nemeses {
        administration::check(args, target, word, &verbatim)?;
    }
    if let Some(hosts) = hosts.as_ref().filter(|_| !of_cluster.is_empty()) {
        hosts.guard(&args.guard, &of_cluster, &verbatim)?;
    }
    if target == TargetKind::Kafka && hosts.is_none() && !of_cluster.is_empty() {
        let protocol = verbatim.get("security.protocol").map_or("plaintext", String::as_str);
        ensure!(
            protocol.eq_ignore_ascii_case("plaintext"),
            "clients behind `security.protocol={protocol}` cannot be disturbed: not in this build (give --nemesis none)"
        );
    }
    let load = load(&args.load, target, workload.consumers)?;
    groups(&nemeses, workload, &load)?;
    let timings = settings::timings(&cell, hosts.is_some());
    let schedule = schedule(args, seed, &nemeses, &load, &timings)?;
    if let Some(fault) = hosts.iter().find_map(|_| schedule.iter().find(|fault| !hosts::can(fault.class))) {
        bail!(
            "nemesis `{}` needs the reference target's link proxy: not on hosts in this build (leave out --target {target}, or choose another)",
            fault.nemesis
        );
    }
    let beyond = |fault: &PlannedFault| Some((fault.nemesis.clone(), hosts::beyond_processes(fault.class)?));
    if let Some((nemesis, why)) = schedule.iter().find_map(beyond).filter(|_| target == TargetKind::Reference)
    {
        bail!(
            "nemesis `{nemesis}` cannot be had on the reference cluster: {why} (add --target lab, or --target kafka --cluster FILE)"
        );
    }
    let workload = workloads::find(&args.load.workload)
        .with_context(|| format!("there is no workload `{}`", args.load.workload))?;

    let run = seed::run_name(seed);
    let topic = args.target.topic.clone().unwrap_or_else(|| format!("highwater-{run}"));
    check_topic(&topic)?;
    let plan = Plan {
        version: PLAN_VERSION,
        run_hash: history::RunHash(seed::mix([run.as_str(), &seed.to_string()])),
        run,
        seed,
        target,
        bootstrap,
        nodes,
        workload: workload.name.to_owned(),
        nemeses,
        checkers: workload.checks.iter().map(|name| (*name).to_owned()).collect(),
        load,
        cell,
        profile,
        profile_settings: filled_in,
        topic,
        flaw: args.flaw.clone(),
        schedule,
        rerun: rerun::line(args, seed),
    };
    let hosts = hosts.map(|hosts| hosts.for_build(&plan.cell.broker));
    Ok(Drawn { plan, secrets: verbatim, hosts })
}

/// What the flaw needs to be seen for what it is.
fn flaw_settings(args: &PlanArgs) -> &'static [(&'static str, &'static str)] {
    flaw_spec(args).map_or(&[], |spec| spec.settings)
}

fn flaw_spec(args: &PlanArgs) -> Option<&'static FlawSpec> {
    FLAWS.iter().find(|spec| args.flaw.as_deref() == Some(spec.name))
}

/// The flags of a run where none are given.
pub(crate) fn defaults() -> PlanArgs {
    rerun::parse(&[]).expect("every flag has a default")
}

/// The properties of `--config` and `-X`; the latter win.
fn verbatim(args: &PlanArgs) -> anyhow::Result<BTreeMap<String, String>> {
    let mut properties = match &args.settings.config {
        Some(path) => config_file::read(path)?,
        None => BTreeMap::new(),
    };
    for (name, _) in &args.settings.property {
        if name == "bootstrap.servers" || name == "metadata.broker.list" {
            bail!("`-X {name}` cannot be used (give --target kafka --bootstrap HOST:PORT)");
        }
    }
    properties.extend(args.settings.property.iter().cloned());
    if properties.contains_key("transactional.id") {
        bail!("property `transactional.id` cannot be used: not in this build (leave it out)");
    }
    Ok(properties)
}

/// The brokers to start from; a `--config` written for other clients may name them.
fn bootstrap(
    args: &PlanArgs,
    target: TargetKind,
    hosts: Option<&Hosts>,
    verbatim: &mut BTreeMap<String, String>,
) -> anyhow::Result<Option<String>> {
    let configured = verbatim.remove("bootstrap.servers").or(verbatim.remove("metadata.broker.list"));
    match target {
        TargetKind::Reference => {
            ensure!(
                args.target.bootstrap.is_none(),
                "--bootstrap says where a Kafka cluster is, and the target is the built-in one (add --target kafka)"
            );
            ensure!(
                configured.is_none(),
                "--config names `bootstrap.servers`, and the target is the built-in cluster (add --target kafka)"
            );
            Ok(None)
        }
        TargetKind::Lab => {
            ensure!(
                args.target.bootstrap.is_none() && configured.is_none(),
                "a lab knows its own addresses (leave out --bootstrap and `bootstrap.servers`)"
            );
            Ok(hosts.map(|hosts| hosts.file.bootstrap.clone()))
        }
        TargetKind::Kafka => {
            let of_file = hosts.map(|hosts| hosts.file.bootstrap.clone());
            let bootstrap =
                args.target.bootstrap.clone().or(configured).or(of_file).context(
                    "--target kafka needs to know where the cluster is (add --bootstrap HOST:PORT)",
                )?;
            for address in bootstrap.split(',') {
                check_address(address.trim())?;
            }
            Ok(Some(bootstrap))
        }
    }
}

fn check_address(address: &str) -> anyhow::Result<()> {
    // librdkafka takes a protocol before the host and 9092 where no port is given.
    let host = address.rsplit("://").next().unwrap_or(address);
    let port = match host.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => port,
        _ => "9092",
    };
    let well_formed = !host.is_empty()
        && !host.starts_with(':')
        && !host.contains(char::is_whitespace)
        && port.parse::<u16>().is_ok_and(|port| port > 0);
    ensure!(well_formed, "`{address}` is no address of a broker (give --bootstrap HOST:PORT,…)");
    Ok(())
}

fn nemeses(args: &PlanArgs, target: TargetKind, has_hosts: bool) -> anyhow::Result<Vec<String>> {
    let named = match (&args.nemesis, target) {
        (Some(named), _) => named.clone(),
        (None, TargetKind::Reference) => vec!["kill".to_owned(), "isolate-leader".to_owned()],
        (None, TargetKind::Lab) => vec!["isolate-leader".to_owned()],
        (None, TargetKind::Kafka) => Vec::new(),
    };
    if named.iter().any(|name| name == NO_NEMESIS) {
        ensure!(named.len() == 1, "nemesis `{NO_NEMESIS}` stands alone (leave it out, or the others)");
        return Ok(Vec::new());
    }
    for (place, name) in named.iter().enumerate() {
        let class = class(name);
        if target == TargetKind::Kafka && !has_hosts && !class.is_some_and(FaultClass::spares_brokers) {
            bail!(
                "nemesis `{name}` breaks brokers, and those of --target kafka cannot be reached (give --nemesis none, one that leaves them whole like `kill-producer` or `reassign-replicas`, or --cluster FILE that says how)"
            );
        }
        ensure!(
            !named[..place].contains(name),
            "nemesis `{name}` is named twice (once is enough: it comes again while the load lasts)"
        );
    }
    Ok(named)
}

/// What a nemesis may do, by its name or a step of a script.
fn class(word: &str) -> Option<FaultClass> {
    let name = word.split_once('@').map_or(word, |(name, _)| name);
    nemesis::find(name).map(|spec| spec.class)
}

/// The applications that a nemesis hits, if it does.
fn applications(word: &str) -> Option<Role> {
    class(word)?.applications()
}

/// Faults of readers need readers, those of a group a group, and its members somebody to be in it.
fn groups(nemeses: &[String], workload: &workloads::Spec, load: &Load) -> anyhow::Result<()> {
    let grouped = workload.consumers.commit().is_some();
    ensure!(
        !grouped || load.readers > 0,
        "workload `{}` is about the members of a group (give --consumers 1 or more)",
        workload.name
    );
    for word in nemeses {
        let Some(class) = class(word) else { continue };
        ensure!(
            grouped || !class.is_of_groups(),
            "nemesis `{word}` breaks a consumer group, and workload `{}` has none (give --workload group)",
            workload.name
        );
        if class.applications() == Some(Role::Reader) {
            ensure!(
                !grouped,
                "nemesis `{word}` hits a reader, and the consumers of workload `{}` are members of a group (give `kill-member`)",
                workload.name
            );
            ensure!(
                load.readers > 0,
                "nemesis `{word}` hits a reader, and there is none (give --consumers 1 or more)"
            );
        }
    }
    Ok(())
}

/// Which fault when: as drawn from the seed, or as a script says.
fn schedule(
    args: &PlanArgs,
    seed: u64,
    nemeses: &[String],
    load: &Load,
    timings: &Timings,
) -> anyhow::Result<Vec<PlannedFault>> {
    if nemeses.iter().any(|word| script::is_step(word)) {
        ensure!(
            nemeses.iter().all(|word| script::is_step(word)),
            "a script and names of nemeses do not go together (write every one as NAME@AT+FOR)"
        );
        ensure!(!args.overlap, "steps of a script overlap where they say so (leave out --overlap)");
        let duration = |text: &str| quantity::duration(text).ok();
        return Ok(script::read(nemeses, load.duration_ms, load.partitions, seed, duration)?);
    }
    let specs: Vec<_> = nemeses.iter().filter_map(|name| nemesis::find(name)).collect();
    Ok(nemesis::schedule(seed, &specs, load.duration_ms, load.partitions, timings, args.overlap)?)
}

/// How long the load lasts where nothing is said: until the default nemeses have bitten.
const fn usual_duration(target: TargetKind) -> Duration {
    match target {
        TargetKind::Reference | TargetKind::Kafka => Duration::from_secs(10),
        TargetKind::Lab => Duration::from_secs(30),
    }
}

fn load(args: &LoadArgs, target: TargetKind, consumers: Consumers) -> anyhow::Result<Load> {
    ensure!(args.records != Some(0), "--records 0 would put nothing to the test (give at least 1)");
    Ok(Load {
        duration_ms: u64::try_from(args.duration.unwrap_or(usual_duration(target)).as_millis())
            .context("--duration is too long")?,
        rate: match args.rate {
            Rate::PerSecond(rate) => Some(rate),
            Rate::Max => None,
        },
        records: args.records,
        producers: args.producers,
        readers: args.consumers.unwrap_or(consumers.usual()),
        partitions: args.partitions,
        payload_bytes: args.payload_bytes,
        keys: args.keys,
        sync: args.sync,
    })
}

/// Kafka's rule for topic names.
fn check_topic(topic: &str) -> anyhow::Result<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    ensure!(
        !topic.is_empty() && topic.len() <= 249 && topic.chars().all(legal) && topic != "." && topic != "..",
        "topic `{topic}` is no name Kafka takes (use at most 249 of a-z, A-Z, 0-9, `.`, `_` and `-`)"
    );
    ensure!(!topic.starts_with("__"), "topic `{topic}` is one of Kafka's own (choose another name)");
    Ok(())
}
