//! `kill-producer`: a producing application dies by SIGKILL, and another session of it goes on later.

use history::{FaultClass, PlannedFault};

use crate::applications::{aim, none_runs, of};
use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "kill-producer",
    summary: "SIGKILL a producing application, go on later with a new session of it",
    docs: "\
The application dies by SIGKILL, and what its client had not handed to a broker is gone (`lost-in-client`, which \
nobody promises to keep). What a broker had acknowledged must be there as without the fault. A new session of it is \
started when the fault is healed; it has numbers of its own, goes on with the next record at the rate of the load, \
and sends nothing of the old session again. It has bitten if the session ended while records were in doubt or \
being sent. Brokers and links stay whole: it needs no host and works on every target.",
    class: FaultClass::KillProducer,
    duration_ms: |_| 700,
    nemesis: &KillProducer,
};

struct KillProducer;

impl Nemesis for KillProducer {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        aim(fault, cluster)
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        let applications = of(cluster)?;
        aim.applications.iter().try_for_each(|hit| applications.kill(*hit))
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        none_runs(aim, cluster)
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        let applications = of(cluster)?;
        aim.applications.iter().try_for_each(|hit| applications.restart(*hit))?;
        Ok(Touched::default())
    }
}
