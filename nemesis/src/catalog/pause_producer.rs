//! `pause-producer`: a producing application is stopped (SIGSTOP) and continued later.

use history::{FaultClass, PlannedFault};

use crate::applications::{aim, none_runs, of};
use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "pause-producer",
    summary: "stop a producing application (SIGSTOP), continue it later",
    docs: "\
The application stands still, as in a long garbage collection or on a frozen machine, for longer than its \
requests may take: when it goes on, answers wait in its sockets that came long ago, and its client takes requests \
for lost that were served. It has bitten if the application sent nothing in that time. Brokers and links stay \
whole: it needs no host and works on every target.",
    class: FaultClass::PauseProducer,
    duration_ms: |timings| timings.session_timeout_ms + 1000,
    nemesis: &PauseProducer,
};

struct PauseProducer;

impl Nemesis for PauseProducer {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        aim(fault, cluster)
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        let applications = of(cluster)?;
        aim.applications.iter().try_for_each(|hit| applications.pause(*hit))
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        none_runs(aim, cluster)
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        let applications = of(cluster)?;
        aim.applications.iter().try_for_each(|hit| applications.resume(*hit))?;
        Ok(Touched::default())
    }
}
