//! `kill-reader`: a reading application dies by SIGKILL, and another session of it reads later.

use history::{FaultClass, PlannedFault};

use crate::applications::{aim, none_runs, of};
use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "kill-reader",
    summary: "SIGKILL a reading application, start a new session of it later",
    docs: "\
The application dies by SIGKILL, and a new session of it is started when the fault is healed, which reads from \
the start of the log again. What the old session had read must still be there; what it had not read yet it owes \
nobody. The new one must be given everything. It has bitten if a session ended that way and another began. Brokers \
and links stay whole: it needs no host and works on every target.",
    class: FaultClass::KillReader,
    duration_ms: |_| 700,
    nemesis: &KillReader,
};

struct KillReader;

impl Nemesis for KillReader {
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
