//! The phases of a run, in order.

use std::collections::BTreeMap;
use std::time::Duration;

use history::{FaultClass, Note, Offset, Partition, Phase, TargetKind, clock};
use targets::actors::protocol::{AdminReply, AdminRequest, Command, Job};
use targets::causes::with_causes;
use targets::front::FrontCluster;
use targets::hosts::{HostCluster, HostsOptions};
use targets::kafka::properties::group_of;
use targets::reference::{ClusterOptions, Proxied, ReferenceCluster};
use targets::secure::Security;

use super::Arm;
use super::backstage::Backstage;
use super::breakable::all_running;
use super::conductor::{Conductor, Waited, millis};
use super::crew::{is_consumer, is_drain, is_producer};
use super::failure::Failure;
use super::faults::Executor;
use crate::state;

const PROBE: Duration = Duration::from_secs(10);
const CREATE: Duration = Duration::from_secs(20);
const READY: Duration = Duration::from_secs(20);
const QUIET: Duration = Duration::from_millis(300);
/// What a producer may take after the load to see every record reported on; it keeps the deadline itself.
const REPORTS: Duration = Duration::from_secs(310);
/// After healing every partition must be written again within this, or it is `unavailable`.
const PROGRESS: Duration = Duration::from_secs(20);
/// The same for brokers that are virtual machines with logs to recover.
const SLOW_PROGRESS: Duration = Duration::from_secs(120);
/// A host heals itself after so many seconds without news of us.
const LEASE_S: u32 = 20;
const DRAIN: Duration = Duration::from_secs(60);
const EXIT: Duration = Duration::from_secs(10);
const WATCH: Duration = Duration::from_millis(500);

/// Names of the nodes' data below the run directory; removed at teardown.
pub(crate) const CLUSTER_DATA: &str = "cluster";

impl Conductor<'_> {
    /// Target, topic and actors come up.
    pub(crate) fn set_up(&mut self) -> Result<(), Failure> {
        self.enter(Phase::SetUp, "starting")?;
        match self.plan.target {
            TargetKind::Reference => self.start_cluster()?,
            TargetKind::Kafka | TargetKind::Lab => self.connect_hosts()?,
        }
        self.crew.start(&self.casting, Job::Admin, 0)?;
        let found = self.ask(AdminRequest::Probe { timeout_ms: millis(PROBE) }, PROBE)?;
        self.check_cluster(&found)?;
        let create = AdminRequest::CreateTopic {
            may_exist: self.options.allow_existing_topic,
            timeout_ms: millis(CREATE),
        };
        let topic = self.ask(create, CREATE)?;
        self.created = true;
        if let AdminReply::Partitions { partitions } = topic
            && partitions.len() < self.plan.load.partitions as usize
        {
            let (found, wanted) = (partitions.len(), self.plan.load.partitions);
            let topic = &self.plan.topic;
            return Err(Failure::preflight(format!("topic `{topic}` shows {found} partitions of {wanted}")));
        }
        self.ask(AdminRequest::DescribeTopic { timeout_ms: millis(PROBE) }, PROBE)?;
        self.watch_partitions()?;
        let consumer = if self.group().is_some() { Job::Member } else { Job::Reader };
        for index in 0..self.plan.load.readers {
            self.crew.start(&self.casting, consumer.clone(), index)?;
        }
        let job = if self.options.arm == Arm::Bare { Job::Bare } else { Job::Producer };
        for index in 0..self.plan.load.producers {
            self.crew.start(&self.casting, job.clone(), index)?;
        }
        match self.wait(READY, |run| run.crew.of(|_| true).all(|actor| actor.ready))? {
            Waited::Met => Ok(()),
            Waited::Late => Err(Failure::preflight("the actors were not ready in time (see their logs)")),
        }
    }

    fn start_cluster(&mut self) -> Result<(), Failure> {
        let data = self.dir.path().join(CLUSTER_DATA);
        let mut options =
            ClusterOptions::new(self.plan.nodes, data, self.dir.node_logs()).map_err(Failure::bug)?;
        options.settings = self.plan.cell.broker.clone();
        options.flaw.clone_from(&self.plan.flaw);
        options.proxied = if self.breaks_links() { Proxied::Everything } else { Proxied::Nothing };
        let started = ReferenceCluster::start(options, &self.casting.supervisor);
        let mut cluster = started.map_err(|error| Failure::preflight(with_causes(&error)))?;
        cluster.set_topic(&self.plan.topic);
        if let Some(group) = self.group() {
            cluster.set_group(&group);
        }
        self.casting.bootstrap = cluster.bootstrap();
        self.cluster = Some(Box::new(cluster));
        Ok(())
    }

    /// The run's consumer group, if its consumers are one.
    fn group(&self) -> Option<String> {
        let workload = workloads::find(&self.plan.workload)?;
        workload.consumers.commit().map(|_| group_of(&self.plan.run))
    }

    /// Whether a fault may hit brokers or links, so that connections have to go through the proxy.
    fn breaks_links(&self) -> bool {
        let behind = |class: FaultClass| class.applications().is_some() || class.is_administrative();
        self.plan.schedule.iter().any(|fault| !behind(fault.class))
    }

    /// Hosts are reached before anything is asked of their cluster: what cannot be mended is not broken.
    fn connect_hosts(&mut self) -> Result<(), Failure> {
        let Some(hosts) = &self.options.hosts else { return self.open_front() };
        self.progress.phase("connecting to hosts");
        let options = HostsOptions {
            file: &hosts.file,
            journal: state::journal().map_err(|error| Failure::usage(with_causes(&error)))?,
            tag: state::unique(),
            lease_s: LEASE_S,
            topic: self.plan.topic.clone(),
            group: self.group(),
            quorum_loss: hosts.lab || self.options.allow_quorum_loss,
            security: Security::of(&self.options.secrets).map_err(Failure::usage)?,
        };
        let connected =
            HostCluster::connect(options).map_err(|error| Failure::preflight(with_causes(&error)))?;
        self.cluster = Some(Box::new(connected));
        Ok(())
    }

    /// Faults of clients need a proxy that clients cannot get past; without faults they connect as ever.
    fn open_front(&mut self) -> Result<(), Failure> {
        if !self.breaks_links() {
            return Ok(());
        }
        let bootstrap = self.plan.bootstrap.as_deref().unwrap_or_default();
        let front = FrontCluster::open(bootstrap, &self.plan.topic);
        let front = front.map_err(|error| Failure::preflight(with_causes(&error)))?;
        self.casting.bootstrap = front.bootstrap();
        self.cluster = Some(Box::new(front));
        Ok(())
    }

    /// Brokers that answer must be those of the hosts that may be broken.
    fn check_cluster(&self, found: &AdminReply) -> Result<(), Failure> {
        let (Some(hosts), AdminReply::Cluster { cluster }) = (&self.options.hosts, found) else {
            return Ok(());
        };
        let path = hosts.file.path.display();
        if let (Some(wanted), Some(id)) = (&hosts.file.cluster_id, &cluster.cluster_id)
            && wanted != id
        {
            return Err(Failure::preflight(format!(
                "the brokers are of cluster `{id}`, and `{path}` is about `{wanted}` (compare `bootstrap` and `cluster_id`)"
            )));
        }
        let known = self.cluster.as_ref().map(|cluster| cluster.nodes()).unwrap_or_default();
        match known.iter().find(|node| !cluster.nodes.contains(node)) {
            Some(node) => Err(Failure::preflight(format!(
                "the cluster has no broker `{node}`, and `{path}` names one (compare `bootstrap` and the ids)"
            ))),
            None => Ok(()),
        }
    }

    /// Whether somebody tells who leads what, the controller or a watch of our own.
    fn is_followed(&self) -> bool {
        self.plan.target == TargetKind::Reference || self.options.hosts.is_some() || self.breaks_links()
    }

    /// Without a controller that tells, metadata shows who leads. A cluster that does not answer just now is
    /// no reason to give up: what it does to the records is what the run is about.
    fn watch_partitions(&mut self) -> Result<(), Failure> {
        if !self.is_followed() {
            let request = AdminRequest::View { record: true, timeout_ms: millis(WATCH) };
            if let Some(AdminReply::Failed { reason, .. }) = self.inquire(request, WATCH)? {
                self.progress.detail(&format!("  {reason}"));
            }
        }
        Ok(())
    }

    /// Load with faults, until the producers have nothing more to report.
    pub(crate) fn load(&mut self) -> Result<(), Failure> {
        self.enter(Phase::Quiet, "quiet")?;
        self.wait(QUIET, |run| run.stop_load.is_some())?;
        self.enter(Phase::Load, "load")?;
        let start = clock::now();
        self.crew.go(start);
        if self.cluster.is_some() || !self.plan.schedule.is_empty() {
            let cluster = self.cluster.take();
            let backstage =
                Backstage { messages: self.sender(), records: !self.is_followed(), hurried: false };
            let executor = Executor::start(cluster, self.plan.schedule.clone(), start, backstage);
            self.executor = Some(executor.map_err(Failure::bug)?);
        }
        let limit = Duration::from_millis(self.plan.load.duration_ms) + REPORTS;
        let mut stopped = false;
        let mut watched = start;
        let waited = loop {
            let waited = self.wait(WATCH, |run| {
                let asked_to_stop = run.stop_load.is_some() && !stopped;
                asked_to_stop || run.crew.all_done(is_producer)
            })?;
            if let Some(reason) = self.stop_load.clone().filter(|_| !stopped) {
                stopped = true;
                self.note(Note::LoadStopped { reason })?;
                self.crew.tell(is_producer, &Command::Stop);
                // What waits behind a fault would not be reported on before it is healed.
                self.heal()?;
            }
            if self.crew.all_done(is_producer) {
                break Waited::Met;
            }
            if waited == Waited::Late && Duration::from_nanos(clock::now().since(start)) > limit {
                break Waited::Late;
            }
            if clock::now().since(watched) > 1_000_000_000 {
                watched = clock::now();
                self.watch_partitions()?;
            }
        };
        if waited == Waited::Late {
            return Err(Failure::bug("a producer did not resolve its records in time (see its log)"));
        }
        Ok(())
    }

    /// Undoes every fault, and makes sure of it.
    pub(crate) fn mend(&mut self) -> Result<(), Failure> {
        self.enter(Phase::Heal, "healing")?;
        self.heal()?;
        match &self.cluster {
            // Nothing of it is left after the run, so this is no failed clean-up; but a broker that ends by
            // itself leaves nothing to judge.
            Some(cluster) if !all_running(cluster.as_ref()) => Err(Failure::preflight(
                "a broker ended by itself (see the nodes' logs in the run's directory)",
            )),
            _ => Ok(()),
        }
    }

    /// Demands progress: every partition must take a fence record, and should have its full ISR before.
    pub(crate) fn fence(&mut self) -> Result<BTreeMap<Partition, Offset>, Failure> {
        self.enter(Phase::Progress, "demanding progress")?;
        if self.cluster.is_some() {
            let full = |run: &mut Self| run.cluster.as_ref().is_some_and(|cluster| cluster.isr_full());
            let within = if self.cluster.as_ref().is_some_and(|cluster| cluster.is_slow()) {
                SLOW_PROGRESS
            } else {
                PROGRESS
            };
            if self.wait(within, full)? == Waited::Late {
                let within = within.as_secs();
                self.progress.say(&format!(
                    "  the ISR is not full {within} s after healing; the drain begins all the same"
                ));
            }
        }
        self.watch_partitions()?;
        self.look_again()?;
        let fence = AdminRequest::Fence { partitions: self.casting.partitions, timeout_ms: millis(PROGRESS) };
        match self.ask(fence, PROGRESS)? {
            AdminReply::Fences { fences } => Ok(fences),
            other => Err(Failure::bug(format!("the admin answered a fence with {other:?}"))),
        }
    }

    /// After requests for changes the topic is put on record as it is in the end. One for more partitions that nobody
    /// answered may have been granted all the same.
    fn look_again(&mut self) -> Result<(), Failure> {
        if self.plan.schedule.iter().any(|fault| fault.class.is_administrative()) {
            self.inquire(AdminRequest::View { record: false, timeout_ms: millis(PROBE) }, PROBE)?;
            self.inquire(AdminRequest::DescribeTopic { timeout_ms: millis(PROBE) }, PROBE)?;
        }
        Ok(())
    }

    /// Reads every partition to its fence; readers that followed the log get as long.
    pub(crate) fn drain(&mut self, fences: BTreeMap<Partition, Offset>) -> Result<(), Failure> {
        self.enter(Phase::Drain, "draining")?;
        let deadline_ms = millis(DRAIN);
        self.crew.tell(is_consumer, &Command::Finish { fences: fences.clone(), deadline_ms });
        self.casting.history_bytes_max = u64::MAX / 2;
        self.crew.start(&self.casting, Job::Drain { fences, deadline_ms }, 0)?;
        let finished =
            |run: &mut Self| run.crew.of(|job| is_drain(job) || is_consumer(job)).all(|actor| actor.done);
        let aborted = |run: &Self| run.signals.len() > 1;
        self.wait(DRAIN + EXIT, |run| finished(run) || aborted(run))?;
        Ok(())
    }

    /// Ends everything that was started, whatever happened before. Never fails: what goes wrong is a trouble.
    pub(crate) fn tear_down(&mut self) {
        self.progress.phase("cleaning up");
        self.ending = true;
        if let Err(failure) = self.heal() {
            self.troubles.push(failure);
        }
        self.delete_topic();
        self.delete_group();
        self.crew.tell(|_| true, &Command::Stop);
        let _ = self.wait(EXIT, |run| run.crew.of(|_| true).all(|actor| actor.exited));
        // Whatever still lives is killed with its handle.
        self.crew = super::crew::Crew::default();
        for complaint in self.cluster.iter().flat_map(|cluster| cluster.keep_logs(&self.dir.node_logs())) {
            self.progress.say(&format!("  {complaint}"));
        }
        if let Some(cluster) = self.cluster.take()
            && let Err(error) = cluster.finish()
        {
            // Processes of the reference cluster are gone with it; hosts stay as they are.
            match self.plan.target {
                TargetKind::Reference => self.progress.say(&format!("  {error}")),
                TargetKind::Kafka | TargetKind::Lab => self.troubles.push(Failure::clean_up(error)),
            }
        }
        let data = self.dir.path().join(CLUSTER_DATA);
        if data.exists()
            && let Err(error) = std::fs::remove_dir_all(&data)
        {
            self.troubles.push(Failure::clean_up(format!("failed to remove `{}`: {error}", data.display())));
        }
        self.progress.finish();
    }

    /// Members have left it by now; one that was killed may still be in it until its session is over, and what is left
    /// then expires by itself, so that this is no trouble.
    fn delete_group(&mut self) {
        let ours = self.plan.target != TargetKind::Reference && self.created && !self.options.keep_topics;
        let Some(group) = self.group().filter(|_| ours) else { return };
        if let Err(failure) = self.ask(AdminRequest::DeleteGroup { timeout_ms: millis(PROBE) }, PROBE) {
            self.progress.say(&format!("  group `{group}` is still there: {}", failure.text));
        }
    }

    fn delete_topic(&mut self) {
        let ours =
            self.plan.target != TargetKind::Reference && self.created && !self.options.allow_existing_topic;
        if !ours || self.options.keep_topics {
            return;
        }
        let within = PROBE;
        if let Err(failure) = self.ask(AdminRequest::DeleteTopic { timeout_ms: millis(within) }, within) {
            let topic = &self.plan.topic;
            self.troubles
                .push(Failure::clean_up(format!("topic `{topic}` is still there: {}", failure.text)));
        }
    }
}
