//! The settings of a cluster that is kept up: what was given, then the profile's time-outs, then as many
//! replicas as there are nodes.

use std::collections::BTreeMap;

use broker::settings;
use history::{Profile, Scope};
use targets::kafka::properties::profile_defaults;

/// More replicas than this are no default anywhere.
const REPLICAS_MAX: u32 = 3;

/// The settings, and what to tell people of them.
#[derive(Debug)]
pub(super) struct Settled {
    /// By broker-level name.
    pub(super) effective: BTreeMap<String, String>,
    /// `name=value` of everything that differs from Kafka's defaults, in order.
    pub(super) said: Vec<String>,
}

/// Settles what is set.
///
/// # Errors
/// An unknown name, a client's setting, or a value that does not fit.
pub(super) fn settle(given: &[(String, String)], profile: Profile, nodes: u32) -> anyhow::Result<Settled> {
    let mut effective = BTreeMap::new();
    for (name, value) in given {
        effective.insert(settings::at_broker(name, value)?.to_owned(), value.clone());
    }
    let timeouts = profile_defaults(profile).iter().filter(|(scope, ..)| *scope == Scope::Broker);
    for (_, name, value) in timeouts {
        effective.entry((*name).to_owned()).or_insert_with(|| (*value).to_owned());
    }
    let replicas = nodes.min(REPLICAS_MAX).to_string();
    effective.entry("default.replication.factor".to_owned()).or_insert(replicas);
    let said = effective.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Ok(Settled { effective, said })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(given: &[(&str, &str)]) -> anyhow::Result<BTreeMap<String, String>> {
        let given: Vec<_> =
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(settle(&given, Profile::Short, 3)?.effective)
    }

    #[test]
    fn what_is_given_wins_over_profile_and_defaults() {
        let plain = settled(&[]).expect("legal");
        assert_eq!(plain["default.replication.factor"], "3");
        assert_eq!(plain["broker.session.timeout.ms"], "1500");
        let given =
            settled(&[("broker.session.timeout.ms", "9000"), ("replication.factor", "1")]).expect("legal");
        assert_eq!(given["default.replication.factor"], "1");
        assert_eq!(given["broker.session.timeout.ms"], "9000");
    }

    #[test]
    fn a_topic_setting_is_the_brokers_default() {
        let given = settled(&[("flush.messages", "1"), ("topic.min.insync.replicas", "2")]).expect("legal");
        assert_eq!(given["log.flush.interval.messages"], "1");
        assert_eq!(given["min.insync.replicas"], "2");
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = settled(&[("num.partition", "2")]).expect_err("unknown").to_string();
        assert!(error.contains("`num.partitions`"), "{error}");
        assert!(settled(&[("num.partitions", "zero")]).is_err());
    }
}
