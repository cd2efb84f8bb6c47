//! The applications that use a cluster, and how one of them is chosen, killed and paused.

use std::time::Duration;

use history::{Application, PlannedFault, Role};

use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis};

/// Applications that can be broken and mended. Somebody else holds them, so that every verb is a request; each is
/// idempotent where it mends: what is whole stays as it is.
pub trait Applications {
    /// Those of a kind that are at work: neither dead, nor stopped, nor done; by their index.
    fn running(&self, role: Role) -> Vec<Application>;
    /// Ends one by SIGKILL and waits until it is gone.
    ///
    /// # Errors
    /// If it is not running.
    fn kill(&self, application: Application) -> Result<(), FaultError>;
    /// Starts another session of one that was killed, unless the load is being stopped and has no use for it.
    ///
    /// # Errors
    /// If it cannot be started.
    fn restart(&self, application: Application) -> Result<(), FaultError>;
    /// Stops one (SIGSTOP) and waits until it stands still.
    ///
    /// # Errors
    /// If it is not running.
    fn pause(&self, application: Application) -> Result<(), FaultError>;
    /// Continues one that was stopped (SIGCONT).
    ///
    /// # Errors
    /// If it is dead.
    fn resume(&self, application: Application) -> Result<(), FaultError>;
    /// Asks one to end in an orderly way, without waiting for it; [`Applications::restart`] starts another session of
    /// it when it has.
    ///
    /// # Errors
    /// If it is not running.
    fn leave(&self, application: Application) -> Result<(), FaultError>;
    /// Waits so long; false, and at once, if faults are to end.
    fn rest(&self, duration: Duration) -> bool;
}

/// The applications of a cluster.
pub(crate) fn of(cluster: &dyn Cluster) -> Result<&dyn Applications, FaultError> {
    let unsupported =
        FaultError::Unsupported { target: "a cluster without a run", action: "hit applications" };
    cluster.applications().ok_or(unsupported)
}

/// The applications that a fault hits, and the word for one.
pub(crate) fn kind(fault: &PlannedFault) -> Result<(Role, &'static str), FaultError> {
    match fault.class.applications() {
        Some(Role::Producer) => Ok((Role::Producer, "producer")),
        Some(Role::Member) => Ok((Role::Member, "member of the group")),
        Some(role) => Ok((role, "reader")),
        None => Err(FaultError::NoApplication("application")),
    }
}

/// Chooses one application of the fault's kind, by the fault's draw, among those that are at work.
pub(crate) fn aim(fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
    let (role, kind) = kind(fault)?;
    let running = of(cluster)?.running(role);
    let chosen = (fault.draw as usize).checked_rem(running.len()).ok_or(FaultError::NoApplication(kind))?;
    Ok(Injected { applications: vec![running[chosen]], ..Injected::default() })
}

/// Whether none of those that were hit is at work.
pub(crate) fn none_runs(aim: &Injected, cluster: &dyn Cluster) -> bool {
    of(cluster).is_ok_and(|applications| {
        aim.applications.iter().all(|hit| !applications.running(hit.role).contains(hit))
    })
}

/// Ends the applications it aims at by SIGKILL; healing starts another session of each.
pub(crate) struct Kills;

impl Nemesis for Kills {
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

/// Stops the applications it aims at (SIGSTOP); healing continues them.
pub(crate) struct Pauses;

impl Nemesis for Pauses {
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
