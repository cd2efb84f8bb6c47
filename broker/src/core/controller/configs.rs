//! Changes of settings, of topics and of brokers (KIP-226, KIP-339): checked as a whole, and then in force.

use std::collections::BTreeMap;

use super::super::image::ALL_BROKERS;
use super::super::message::{AdminAnswer, ConfigOwner};
use super::super::refusal::Refusal;
use super::super::settings::{self, ConfigOp, kafka};
use super::{Controller, election};

impl Controller {
    /// The settings that concern the controller, changes for every broker included.
    pub(super) fn effective(&self) -> settings::Settings {
        self.snapshot.image.settings(&self.settings, ALL_BROKERS)
    }

    pub(super) fn alter_configs(
        &mut self,
        of: &ConfigOwner,
        replace: bool,
        changes: &[(String, ConfigOp)],
        validate_only: bool,
    ) -> Result<AdminAnswer, Refusal> {
        let image = &self.snapshot.image;
        let present = match of {
            ConfigOwner::Topic(name) => {
                &image.topics.get(name).ok_or(Refusal::UnknownTopicOrPartition)?.configs
            }
            ConfigOwner::Broker(node) => image.broker_configs.get(node).unwrap_or(const { &BTreeMap::new() }),
        };
        let mut next = if replace { BTreeMap::new() } else { present.clone() };
        let table = match of {
            ConfigOwner::Topic(_) => &kafka::TOPIC,
            ConfigOwner::Broker(_) => &kafka::BROKER,
        };
        for (name, op) in changes {
            if let Err(error) = settings::change(&mut next, name, op, kafka::find(table, name)) {
                return Ok(AdminAnswer::BadConfig(error.to_string()));
            }
        }
        let checked = match of {
            ConfigOwner::Topic(_) => settings::check_topic(&next).map_err(|error| error.to_string()),
            ConfigOwner::Broker(_) => check_dynamic(&next),
        };
        if let Err(message) = checked {
            return Ok(AdminAnswer::BadConfig(message));
        }
        if validate_only || next == *present {
            return Ok(AdminAnswer::Done);
        }
        self.change();
        match of {
            ConfigOwner::Topic(name) => {
                if let Some(topic) = self.snapshot.image.topics.get_mut(name) {
                    topic.configs = next;
                }
            }
            ConfigOwner::Broker(node) => {
                self.snapshot.image.broker_configs.insert(*node, next);
            }
        }
        // Unclean election may be allowed now. Kafka looks for such partitions every five minutes.
        let live = self.live();
        self.change_partitions(|partition, rules| {
            (!live.contains(&partition.leader)).then(|| election::led_again(partition, &live, rules))?
        });
        Ok(AdminAnswer::Done)
    }
}

/// Settings of a running broker: some cannot be changed.
fn check_dynamic(configs: &BTreeMap<String, String>) -> Result<(), String> {
    configs.iter().try_for_each(|(name, value)| {
        if kafka::find(&kafka::BROKER, name).is_some_and(|known| known.read_only) {
            return Err(format!("cannot change `{name}` of a running broker"));
        }
        settings::check_broker(name, value).map_err(|error| error.to_string())
    })
}
