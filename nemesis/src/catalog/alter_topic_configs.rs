//! `alter-topic-configs`: a setting of the topic is changed while applications use it, and changed back later.

use std::collections::BTreeMap;

use history::{FaultClass, PlannedFault};

use crate::administrator::{Change, SETTLED_WITHIN, SHOWS_WITHIN, of};
use crate::cluster::{Cluster, FaultError, Touched};
use crate::spec::{Injected, Nemesis, Spec};

pub(crate) static SPEC: Spec = Spec {
    name: "alter-topic-configs",
    summary: "change a setting of the topic while it is used, change it back later",
    docs: "\
The cluster is asked (IncrementalAlterConfigs) for another value of one setting, drawn from those that nothing promised rests \
on: segment.bytes, segment.ms, index.interval.bytes, max.message.bytes (raised only), file.delete.delay.ms. acks, \
replicas and retention stay as they are, and nothing may be lost, doubled or unavailable. Healing reads the settings \
back: the topic has its own value again, or none of its own. It has bitten when the cluster told of the other value, \
and records were confirmed under it. It is about the topic of the run alone, needs no host and works on every target.",
    class: FaultClass::AlterTopicConfigs,
    duration_ms: |_| 1500,
    nemesis: &AlterTopicConfigs,
};

type Settings = BTreeMap<String, String>;

/// A setting, the value it is given, and whether that is harmless beside the others.
type Candidate = (&'static str, &'static str, fn(&Settings) -> bool);

/// What may be changed without touching a promise. A batch must fit into a segment, and what fitted into
/// max.message.bytes must fit still.
const CANDIDATES: &[Candidate] = &[
    ("segment.bytes", "2097152", |now| number(now, "max.message.bytes") < 2_097_152),
    ("segment.ms", "1000", |_| true),
    ("index.interval.bytes", "512", |_| true),
    ("max.message.bytes", "8388608", |now| {
        number(now, "max.message.bytes") < 8_388_608 && number(now, "segment.bytes") > 8_388_608
    }),
    ("file.delete.delay.ms", "1000", |_| true),
];

fn number(settings: &Settings, name: &str) -> u64 {
    settings.get(name).and_then(|value| value.parse().ok()).unwrap_or(u64::MAX)
}

struct AlterTopicConfigs;

impl Nemesis for AlterTopicConfigs {
    fn aim(&self, fault: &PlannedFault, cluster: &dyn Cluster) -> Result<Injected, FaultError> {
        let administrator = of(cluster)?;
        let (now, own) = (administrator.settings()?, administrator.own_settings()?);
        let can_change = |(name, to, harmless): &&Candidate| {
            now.get(*name).is_some_and(|value| value != to) && harmless(&now)
        };
        let changeable: Vec<_> = CANDIDATES.iter().filter(can_change).collect();
        let chosen = (fault.draw as usize).checked_rem(changeable.len()).map(|place| changeable[place]);
        let (name, to, _) = chosen.ok_or_else(|| FaultError::Administration {
            action: "change a setting of the topic",
            reason: "none is left that can be changed without harm (leave some at their defaults)".to_owned(),
        })?;
        let change = Change::Setting {
            name: (*name).to_owned(),
            before: now[*name].clone(),
            own: own.get(*name).cloned(),
            to: (*to).to_owned(),
        };
        Ok(Injected::changing(Vec::new(), vec![change]))
    }

    fn inject(&self, _: &PlannedFault, aim: &Injected, cluster: &mut dyn Cluster) -> Result<(), FaultError> {
        let administrator = of(cluster)?;
        for change in &aim.changes {
            if let Change::Setting { name, to, .. } = change {
                administrator.alter(name, Some(to))?;
            }
        }
        Ok(())
    }

    fn verify(&self, aim: &Injected, cluster: &dyn Cluster) -> bool {
        let told = |change: &Change| match change {
            Change::Setting { name, to, .. } => {
                of(cluster).and_then(|it| it.await_setting(name, to, SHOWS_WITHIN)).unwrap_or(false)
            }
            _ => true,
        };
        aim.changes.iter().all(told)
    }

    fn heal(&self, aim: &Injected, cluster: &mut dyn Cluster) -> Result<Touched, FaultError> {
        for change in &aim.changes {
            let Change::Setting { name, before, own, .. } = change else { continue };
            let administrator = of(cluster)?;
            administrator.alter(name, own.as_deref())?;
            if !administrator.await_setting(name, before, SETTLED_WITHIN)? {
                return Err(FaultError::Administration {
                    action: "change a setting of the topic back",
                    reason: format!("`{name}` is not {before} again"),
                });
            }
        }
        Ok(Touched::default())
    }
}
