//! Brokers of the reference cluster whose disk, files or clock is wrong. A disk and a clock are told to the process,
//! which answers its own writes as the kernel would; files are damaged while the process is down, as those of a host
//! are.

use std::time::Duration;

use history::{NodeId, Partition};
use nemesis::{Affliction, FaultError, Touched};
use wire::node::{ClockState, DiskState, NodeOrder};

use crate::reference::cluster::ReferenceCluster;
use crate::reference::damage;
use crate::reference::faults::failed;
use crate::reference::member::Member;
use crate::reference::watch::Obeyed;

/// How long a broker may take to do what it is told.
const OBEYS_WITHIN: Duration = Duration::from_secs(5);

/// What a node is under, and what that has taken so far.
pub(super) struct Ill {
    node: NodeId,
    what: Affliction,
    bytes: u64,
}

/// What a process is told so that it is under it; `None` where it is done to its files.
const fn order(affliction: &Affliction) -> Option<NodeOrder> {
    Some(match affliction {
        Affliction::DiskFull => NodeOrder::Disk { state: DiskState::Full },
        Affliction::ReadOnlyDisk => NodeOrder::Disk { state: DiskState::ReadOnly },
        Affliction::SlowDisk { kib } => NodeOrder::Disk { state: DiskState::Slow { kib: *kib } },
        Affliction::ClockBump { ms } => NodeOrder::Clock { state: ClockState::Ahead { ms: *ms } },
        Affliction::ClockSkew { ppm } => NodeOrder::Clock { state: ClockState::Fast { ppm: *ppm } },
        Affliction::ClockStrobe { ms, period_ms } => {
            NodeOrder::Clock { state: ClockState::Strobes { ms: *ms, period_ms: *period_ms } }
        }
        Affliction::TruncateLog { .. }
        | Affliction::FlipBit { .. }
        | Affliction::StaleDisk
        | Affliction::DropCache => return None,
    })
}

impl ReferenceCluster {
    /// Tells a broker something, and waits until it has done it; `None` if it ended instead.
    fn tell(&self, node: NodeId, order: NodeOrder) -> Result<Option<Obeyed>, FaultError> {
        let member = Member::Node(node);
        let child = self.process(node, "tell")?;
        let before = self.launcher.watch.known().member(member).obeyed.len();
        // An order is plain data, which always has a JSON form.
        if child.send_line(&serde_json::to_string(&order).unwrap_or_default()).is_err() {
            return Ok(None);
        }
        let answered = self.launcher.watch.wait(OBEYS_WITHIN, |known| {
            known
                .members
                .get(&member)
                .is_some_and(|state| state.obeyed.len() > before || state.ended.is_some())
        });
        if !answered {
            return Err(failed("tell", member, "it does not answer"));
        }
        Ok(self.launcher.watch.known().member(member).obeyed.get(before).copied())
    }

    /// Puts one node under it.
    pub(super) fn make_ill(&mut self, node: NodeId, what: &Affliction) -> Result<(), FaultError> {
        let member = self.known_node(node)?;
        if self.is_ill(node, what) {
            return Ok(());
        }
        if *what == Affliction::DropCache {
            return Err(FaultError::Unsupported {
                target: "the reference cluster",
                action: "drop the page cache, which is the machine's",
            });
        }
        if self.process(node, "reach")?.exit_status().is_some() {
            return Err(failed(what.verb(), member, "it does not run"));
        }
        // On record before it is done: whatever goes wrong on the way is mended too.
        self.ill.push(Ill { node, what: what.clone(), bytes: 0 });
        let bytes = match (what, order(what)) {
            (_, Some(order)) => {
                if what.takes_down() {
                    // Its end is what is expected of it.
                    self.launcher.watch.known().member(member).ending = true;
                }
                match self.tell(node, order)? {
                    Some(_) => 0,
                    None if what.takes_down() => 0,
                    None => return Err(failed(what.verb(), member, "it has ended")),
                }
            }
            (Affliction::TruncateLog { partition, bytes }, _) => {
                self.at_rest(node, |cluster| damage::truncate(&cluster.log(node, *partition), *bytes))?
            }
            (Affliction::FlipBit { partition, seed }, _) => {
                let flipped =
                    self.at_rest(node, |cluster| damage::flip_bit(&cluster.log(node, *partition), *seed))?;
                self.words.push(format!("bit {} of byte {} on node {node}", flipped.mask, flipped.at));
                1
            }
            _ => {
                self.at_rest(node, |cluster| {
                    let data = cluster.data(node);
                    damage::copy(&data, &damage::aside(&data))
                })?;
                0
            }
        };
        if let Some(ill) = self.ill.iter_mut().find(|ill| ill.node == node && ill.what == *what) {
            ill.bytes = bytes;
        }
        Ok(())
    }

    /// Ends it on one node, and tells the bytes it took.
    pub(super) fn make_well(&mut self, node: NodeId, what: &Affliction) -> Result<Touched, FaultError> {
        let member = self.known_node(node)?;
        let Some(place) = self.ill.iter().position(|ill| ill.node == node && ill.what == *what) else {
            return Ok(Touched::default());
        };
        let mut bytes = self.ill[place].bytes;
        match what {
            Affliction::DiskFull | Affliction::SlowDisk { .. } => {
                let whole = NodeOrder::Disk { state: DiskState::Whole };
                if let Some(obeyed) = self.tell(node, whole)? {
                    bytes += obeyed.slowed_bytes;
                    self.launcher.watch.known().member(member).ending = false;
                }
            }
            Affliction::ReadOnlyDisk => {
                self.note_end(node);
                self.end_process(node)?;
                bytes += self.lose_unsynced(node, false)?;
            }
            Affliction::StaleDisk => {
                let data = self.data(node);
                if damage::aside(&data).exists() {
                    self.end_process(node)?;
                    let restored = damage::restore(&data, &damage::aside(&data));
                    bytes += restored.map_err(|error| failed("restore the logs of", member, error))?;
                }
            }
            Affliction::ClockBump { .. } | Affliction::ClockSkew { .. } | Affliction::ClockStrobe { .. } => {
                let obeyed = self.tell(node, NodeOrder::Clock { state: ClockState::Right })?;
                self.words.extend(obeyed.and_then(|obeyed| seen(node, what, obeyed)));
            }
            Affliction::TruncateLog { .. } | Affliction::FlipBit { .. } | Affliction::DropCache => {}
        }
        if what.takes_down() && !self.dark.contains_key(&node) {
            if *what == Affliction::DiskFull {
                self.note_end(node);
            }
            self.start_process(node)?;
        }
        self.ill.remove(place);
        Ok(Touched { connections: 0, bytes })
    }

    pub(super) fn is_ill(&self, node: NodeId, what: &Affliction) -> bool {
        self.ill.iter().any(|ill| ill.node == node && ill.what == *what)
    }

    /// Puts on record why a broker has ended by itself, if it has.
    fn note_end(&mut self, node: NodeId) {
        let ended = self.launcher.watch.known().member(Member::Node(node)).reason.clone();
        self.words.extend(ended.map(|reason| format!("node {node} gave up: {reason}")));
    }

    /// Stops a broker in an orderly way, does something to its files, and starts it again, whatever came of it.
    fn at_rest<T>(
        &mut self,
        node: NodeId,
        damage: impl FnOnce(&Self) -> std::io::Result<T>,
    ) -> Result<T, FaultError> {
        self.end_in_order(node)?;
        let done = damage(self).map_err(|error| failed("damage the files of", Member::Node(node), error));
        self.start_process(node)?;
        done
    }

    fn data(&self, node: NodeId) -> std::path::PathBuf {
        Member::Node(node).data(&self.launcher.options.data)
    }

    /// The log of a partition of the topic under test, or of the one topic there is.
    fn log(&self, node: NodeId, partition: Partition) -> std::path::PathBuf {
        let topic = self.launcher.watch.known().topic_of(partition);
        self.data(node).join(format!("{topic}-{partition}"))
    }
}

/// How a clock was seen wrong, if it was.
fn seen(node: NodeId, what: &Affliction, obeyed: Obeyed) -> Option<String> {
    if let Affliction::ClockStrobe { ms, .. } = what {
        let times = obeyed.clock_jumps;
        return (times > 0)
            .then(|| format!("node {node}: its clock jumped by {ms} ms and back {times} times"));
    }
    match obeyed.clock_ahead_ms {
        0 => None,
        ms if ms < 0 => Some(format!("node {node}: its clock was {} ms behind", -ms)),
        ms => Some(format!("node {node}: its clock was {ms} ms ahead")),
    }
}
