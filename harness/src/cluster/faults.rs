//! The faults in force on a cluster that is kept up: applied by request, undone by request, after their
//! time, or when the cluster ends.

use std::time::Duration;

use history::{FaultClass, FaultTarget, Manner, Nanos, NodeId, Partition, PlannedFault, clock};
use nemesis::{Cluster, End, Injected, Spec, Touched};
use targets::causes::with_causes;
use targets::reference::ReferenceCluster;

use super::protocol::{Answer, InForce, NodeStatus, Request, Status, Target, Undone, VERSION, Which};

/// Nobody's schedule: what has no end is asked to last.
const NO_END: u64 = 0;

struct Applied {
    id: u32,
    spec: &'static Spec,
    aim: Injected,
    partitions: Vec<String>,
    since: Nanos,
    until: Option<Nanos>,
    unhealed: Option<String>,
}

/// What is in force, the oldest first.
#[derive(Default)]
pub(super) struct Faults {
    applied: Vec<Applied>,
    last_id: u32,
}

impl Faults {
    /// Does what is asked.
    pub(super) fn handle(&mut self, request: Request, cluster: &mut ReferenceCluster) -> Answer {
        match request {
            Request::Apply { fault, target, for_ms } => self.apply(&fault, &target, for_ms, cluster),
            Request::Undo(which) => self.undo(which, cluster),
            Request::Status => Answer::Status(self.status(cluster)),
        }
    }

    fn apply(
        &mut self,
        fault: &str,
        target: &Target,
        for_ms: Option<u64>,
        cluster: &mut ReferenceCluster,
    ) -> Answer {
        let prepared = nemesis::find(fault)
            .ok_or_else(|| format!("there is no nemesis `{fault}` (`highwater list nemeses` shows them)"))
            .and_then(|spec| {
                let node = self.choose(spec, target, cluster)?;
                Ok((spec, self.aim(spec, node, for_ms, cluster)?))
            });
        let (spec, (planned, aim)) = match prepared {
            Ok(prepared) => prepared,
            Err(reason) => return Answer::Refused(reason),
        };
        let led = of_applications(cluster);
        let led = led.filter(|(_, leader)| leader.is_some_and(|leader| aim.nodes.contains(&leader)));
        let partitions = led.map(|((topic, partition), _)| format!("{topic}/{partition}")).collect();
        let injected = spec.nemesis.inject(&planned, &aim, cluster);
        let reason = match injected {
            Ok(()) if spec.nemesis.verify(&aim, cluster) => None,
            Ok(()) => Some("it was injected, and is not in force".to_owned()),
            Err(error) => Some(with_causes(&error)),
        };
        let since = clock::now();
        // What has run through is over.
        let lasts_ms = if spec.nemesis.runs_through() { Some(0) } else { for_ms };
        let until = lasts_ms.map(|ms| Nanos(since.0.saturating_add(ms.saturating_mul(1_000_000))));
        let applied = Applied { id: planned.id, spec, aim, partitions, since, until, unhealed: None };
        self.last_id = planned.id;
        let told = applied.told();
        self.applied.push(applied);
        let Some(reason) = reason else { return Answer::Applied(told) };
        match self.heal(planned.id, cluster) {
            Ok(_) => Answer::Failed(format!("failed to apply `{fault}`: {reason}")),
            Err(unhealed) => Answer::Unhealed(format!("failed to apply `{fault}`: {reason}; {unhealed}")),
        }
    }

    /// The broker that a target means now.
    fn choose(&self, spec: &Spec, target: &Target, cluster: &ReferenceCluster) -> Result<NodeId, String> {
        let everywhere = spec.class.hits_everyone();
        if everywhere && *target != Target::Busiest {
            return Err(format!("`{}` hits every node (leave out --node and --partition)", spec.name));
        }
        let nodes = cluster.nodes();
        match target {
            Target::Node(id) if nodes.contains(&NodeId(*id)) => Ok(NodeId(*id)),
            Target::Node(id) => {
                let ids: Vec<_> = nodes.iter().map(NodeId::to_string).collect();
                Err(format!("there is no node `{id}` (the nodes are {})", ids.join(", ")))
            }
            Target::Partition(topic, partition) => {
                let shown = format!("{topic}/{partition}");
                match cluster.leaders().get(&(topic.clone(), Partition(*partition))) {
                    Some(Some(leader)) => Ok(*leader),
                    Some(None) => {
                        Err(format!("partition `{shown}` has no leader (undo what keeps it from one)"))
                    }
                    None => Err(format!("there is no partition `{shown}` (give TOPIC/PARTITION, or --node)")),
                }
            }
            Target::Busiest => {
                let led = |node: NodeId| {
                    of_applications(cluster).filter(|(_, leader)| *leader == Some(node)).count()
                };
                let whole = nodes
                    .into_iter()
                    .filter(|node| everywhere || (cluster.is_running(*node) && self.on(*node).is_none()));
                // Of several the one with the lowest id: nothing is left to chance.
                whole.rev().max_by_key(|node| led(*node)).ok_or_else(|| {
                    "every node is hit by a fault or down already (`highwater nemesis status` shows what is in force)"
                        .to_owned()
                })
            }
        }
    }

    /// What the fault would hit, if it may.
    fn aim(
        &self,
        spec: &Spec,
        node: NodeId,
        for_ms: Option<u64>,
        cluster: &ReferenceCluster,
    ) -> Result<(PlannedFault, Injected), String> {
        if spec.nemesis.runs_through() && for_ms.is_some() {
            return Err(format!("`{}` is over when it has run through (leave out --for)", spec.name));
        }
        let planned = PlannedFault {
            id: self.last_id + 1,
            nemesis: spec.name.to_owned(),
            class: spec.class,
            at_ms: 0,
            duration_ms: for_ms.unwrap_or(NO_END),
            target: FaultTarget::Node(node),
            manner: Manner::Held,
            // Another one each time, and the same ones for every cluster.
            draw: self.last_id,
        };
        let aim = spec.nemesis.aim(&planned, cluster).map_err(|error| with_causes(&error))?;
        if aim.links.iter().any(|link| link.from == End::Clients) {
            return Err(format!(
                "`{}` breaks the links of clients, which connect to this cluster directly (use `highwater run`, or a \
                 nemesis between brokers)",
                spec.name
            ));
        }
        for node in &aim.nodes {
            if let Some(other) = self.on(*node) {
                let (id, name) = (other.id, other.spec.name);
                return Err(format!("node {node} is hit by fault {id} `{name}` already (undo it first)"));
            }
            if !cluster.is_running(*node) {
                return Err(format!("node {node} is down (choose another node)"));
            }
        }
        if spec.class == FaultClass::IsolateFollowers && aim.links.is_empty() {
            return Err(format!("node {node} is alone and has no followers (start more with --nodes)"));
        }
        Ok((planned, aim))
    }

    fn on(&self, node: NodeId) -> Option<&Applied> {
        self.applied.iter().find(|applied| applied.aim.nodes.contains(&node))
    }

    fn undo(&mut self, which: Which, cluster: &mut ReferenceCluster) -> Answer {
        let known = |id: &u32| self.applied.iter().any(|applied| applied.id == *id);
        let ids: Vec<_> = match which {
            // The last first, as one takes a scaffold down.
            Which::All => self.applied.iter().rev().map(|applied| applied.id).collect(),
            Which::Last => self.applied.last().map(|applied| applied.id).into_iter().collect(),
            Which::Fault(id) if known(&id) => vec![id],
            Which::Fault(id) => {
                return Answer::Refused(format!(
                    "fault {id} is not in force (`highwater nemesis status` shows what is)"
                ));
            }
        };
        let (mut undone, mut unhealed) = (Vec::new(), Vec::new());
        for id in ids {
            match self.heal(id, cluster) {
                Ok(healed) => undone.push(healed),
                Err(reason) => unhealed.push(reason),
            }
        }
        if unhealed.is_empty() { Answer::Undone(undone) } else { Answer::Unhealed(unhealed.join("; ")) }
    }

    /// Undoes what has had its time, and tells what became of it.
    pub(super) fn expire(&mut self, cluster: &mut ReferenceCluster) -> Vec<Result<Undone, String>> {
        let now = clock::now();
        let over = |applied: &&Applied| applied.until.is_some_and(|until| until <= now);
        let ids: Vec<_> = self.applied.iter().filter(over).map(|applied| applied.id).collect();
        ids.into_iter().map(|id| self.heal(id, cluster)).collect()
    }

    /// Undoes everything, so that a power failure takes what it had to take before the nodes end.
    pub(super) fn end(&mut self, cluster: &mut ReferenceCluster) -> Vec<Result<Undone, String>> {
        let ids: Vec<_> = self.applied.iter().rev().map(|applied| applied.id).collect();
        ids.into_iter().map(|id| self.heal(id, cluster)).collect()
    }

    /// Undoes one fault; what cannot be undone stays in force, and is not tried again by itself.
    fn heal(&mut self, id: u32, cluster: &mut ReferenceCluster) -> Result<Undone, String> {
        let Some(place) = self.applied.iter().position(|applied| applied.id == id) else {
            return Err(format!("fault {id} is not in force"));
        };
        let mut applied = self.applied.remove(place);
        let mut aim = applied.aim.clone();
        // A link that another fault cuts too stays cut until that is undone.
        aim.links.retain(|link| !self.applied.iter().any(|other| other.aim.links.contains(link)));
        let healed = applied.spec.nemesis.heal(&aim, cluster);
        let healed = match healed {
            // Who died while it was stopped cannot be continued, but it can be there again.
            Err(_) if applied.spec.class == FaultClass::Pause => cluster.start(&aim.nodes),
            healed => healed,
        };
        match healed {
            Ok(touched) => Ok(applied.undone(touched)),
            Err(error) => {
                let reason = with_causes(&error);
                let name = applied.spec.name;
                applied.until = None;
                applied.unhealed = Some(reason.clone());
                self.applied.insert(place, applied);
                Err(format!("failed to undo fault {id} `{name}`: {reason}"))
            }
        }
    }

    fn status(&self, cluster: &ReferenceCluster) -> Status {
        let fenced = cluster.cluster_view().fenced;
        let nodes = cluster.nodes().into_iter().map(|node| NodeStatus {
            node: node.0,
            running: cluster.is_running(node),
            fenced: fenced.contains(&node),
        });
        Status {
            schema_version: VERSION,
            bootstrap: cluster.bootstrap(),
            nodes: nodes.collect(),
            faults: self.applied.iter().map(Applied::told).collect(),
        }
    }
}

impl Applied {
    fn told(&self) -> InForce {
        let now = clock::now();
        let ms = |nanos: u64| u64::try_from(Duration::from_nanos(nanos).as_millis()).unwrap_or(u64::MAX);
        InForce {
            id: self.id,
            fault: self.spec.name.to_owned(),
            nodes: self.ids(),
            partitions: self.partitions.clone(),
            since_ms: ms(now.since(self.since)),
            left_ms: self.until.map(|until| ms(until.since(now))),
            unhealed: self.unhealed.clone(),
        }
    }

    fn undone(&self, touched: Touched) -> Undone {
        let Touched { connections, bytes } = touched;
        Undone { id: self.id, fault: self.spec.name.to_owned(), nodes: self.ids(), connections, bytes }
    }

    fn ids(&self) -> Vec<i32> {
        self.aim.nodes.iter().map(|node| node.0).collect()
    }
}

/// Who leads the partitions that somebody made, without the cluster's own (`__consumer_offsets` and such).
fn of_applications(
    cluster: &ReferenceCluster,
) -> impl Iterator<Item = ((String, Partition), Option<NodeId>)> {
    cluster.leaders().into_iter().filter(|((topic, _), _)| !topic.starts_with("__"))
}
