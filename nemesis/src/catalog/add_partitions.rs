//! `add-partitions`: the topic gets more partitions while applications use it.

use history::{FaultClass, Partition, PlannedFault};

use crate::administrator::{Change, SHOWS_WITHIN, View, of, view};
use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "add-partitions",
    summary: "give the topic half as many partitions again while it is used",
    docs: "\
The cluster is asked (CreatePartitions) for half as many partitions again, at least one. Producers with keys \
(`--keys`) begin to write to them as soon as their clients know of them: keys move, so that the order of a key's \
records holds within a partition only. Readers are told at once, and the fences and the drain cover the new \
partitions: nothing that went there may be lost, unseen or doubled. It has bitten when the partitions appeared while \
records were confirmed, with keys when records were confirmed in them. No partition can be taken away again: there is \
nothing to undo, and a topic that is not the run's own is refused. It needs no host and works on every target.",
    class: FaultClass::AddPartitions,
    // Clients learn of it when they ask for metadata again, every second in a short run.
    duration_ms: |_| 3000,
    nemesis: &AddPartitions,
};

struct AddPartitions;

impl Nemesis for AddPartitions {
    fn aim(&self, _: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let present = view(of(cluster)?)?.placements.len();
        let from = u32::try_from(present).map_err(|_| FaultError::NoPartition)?;
        let to = from + (from / 2).max(1);
        Ok(Injected::changing((from..to).map(Partition).collect(), vec![Change::Partitions { from, to }]))
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        let administrator = of(cluster)?;
        for change in &aim.changes {
            if let Change::Partitions { to, .. } = change {
                administrator.add_partitions(*to)?;
            }
        }
        Ok(())
    }

    fn runs_through(&self) -> bool {
        true
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        let led = |view: &View| {
            let mut added = aim.partitions.iter().map(|partition| view.placement(*partition));
            added.all(|placement| placement.is_some_and(|placement| placement.leader.is_some()))
        };
        let view = of(cluster).and_then(|administrator| administrator.await_view(&led, SHOWS_WITHIN));
        view.is_ok_and(|view| led(&view))
    }

    fn heal(&self, _: &Injected, _: &mut dyn Cluster) -> Result<Touched, FaultError> {
        Ok(Touched::default())
    }
}
