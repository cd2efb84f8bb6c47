//! `rebalance-storm`: members of the run's consumer group are killed, or leave, and join again in quick succession,
//! for as long as the fault lasts.

use std::time::Duration;

use history::{Application, FaultClass, PlannedFault, Role, clock};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::applications::{Applications, kind, none_runs, of};
use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "rebalance-storm",
    summary: "kill members of the group or let them leave, and join again, over and over",
    docs: "\
One member after the other dies by SIGKILL or leaves in an orderly way, as the seed has it, and joins again a moment \
later, so that the group is hardly ever stable: generations follow one another, partitions move to and fro, and \
members are told to give up what they were just given. Every record must be processed all the same. It has bitten \
if at least two sessions joined and partitions moved from one member to another. Brokers and links stay whole: it \
works on every target. Needs a workload whose consumers are a group.",
    class: FaultClass::RebalanceStorm,
    duration_ms: |timings| timings.group_session_ms + 2500,
    nemesis: &Storm,
};

/// How long a member is away, and how long its group is left alone, in milliseconds.
const AWAY_MS: std::ops::Range<u64> = 50..350;
const CALM_MS: std::ops::Range<u64> = 100..600;
/// How often a member that leaves is looked at, and how often at most.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: u32 = 250;

struct Storm;

impl Nemesis for Storm {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let (role, kind) = kind(fault)?;
        let applications = of(cluster)?.running(role);
        if applications.is_empty() {
            return Err(FaultError::NoApplication(kind));
        }
        Ok(Injected { applications, ..Injected::default() })
    }

    fn inject(
        &self,
        fault: &PlannedFault,
        aim: &Injected,
        cluster: &mut dyn Cluster,
    ) -> Result<(), FaultError> {
        let applications = of(cluster)?;
        let mut random = ChaCha8Rng::seed_from_u64(u64::from(fault.draw));
        let begun = clock::now();
        let rest = |of: std::ops::Range<u64>, random: &mut ChaCha8Rng| {
            applications.rest(Duration::from_millis(random.random_range(of)))
        };
        loop {
            let hit = aim.applications[random.random_range(0..aim.applications.len())];
            if random.random_range(0..2) == 0 {
                applications.kill(hit)?;
            } else {
                applications.leave(hit)?;
                wait_gone(applications, hit);
            }
            let goes_on = rest(AWAY_MS, &mut random);
            applications.restart(hit)?;
            let over = clock::now().since(begun) / 1_000_000 >= fault.duration_ms;
            if !goes_on || over || !rest(CALM_MS, &mut random) {
                return Ok(());
            }
            wait_at_work(applications, hit);
        }
    }

    fn runs_through(&self) -> bool {
        true
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        aim.applications.len() == 1 || !none_runs(aim, cluster)
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        let applications = of(cluster)?;
        aim.applications.iter().try_for_each(|hit| applications.restart(*hit))?;
        Ok(Touched::default())
    }
}

fn at_work(applications: &dyn Applications, one: Application) -> bool {
    applications.running(Role::Member).contains(&one)
}

/// Waits until one that leaves has ended, as long as an application may take.
fn wait_gone(applications: &dyn Applications, one: Application) {
    for _ in 0..LOOKS {
        if !at_work(applications, one) || !applications.rest(LOOK) {
            return;
        }
    }
}

/// Waits until one that was started has come far enough to be hit again.
fn wait_at_work(applications: &dyn Applications, one: Application) {
    for _ in 0..LOOKS {
        if at_work(applications, one) || !applications.rest(LOOK) {
            return;
        }
    }
}
