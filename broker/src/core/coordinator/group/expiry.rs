//! Offsets that nobody uses any more go, and so do those of deleted topics (KIP-211).

use super::super::super::image::ClusterImage;
use super::super::Entry;
use super::classic::{CONSUMER, State};
use super::offsets::{Committed, Place};
use super::turn::Turn;
use super::{Group, Groups, Removal, Token, records};

impl Groups {
    /// Looks for offsets whose time is up, every `offsets.retention.check.interval.ms`.
    pub(super) fn expire(&mut self, turn: &mut Turn<'_, '_, '_>) {
        let now_ms = turn.scope.now_ms;
        let interval_ms = turn.setting("offsets.retention.check.interval.ms");
        let due = *self.expiry_at_ms.get_or_insert(now_ms.saturating_add(interval_ms));
        if now_ms < due {
            return;
        }
        self.expiry_at_ms = Some(now_ms.saturating_add(interval_ms));
        let retention_ms = i64::try_from(turn.setting("offsets.retention.minutes")).unwrap_or(i64::MAX);
        let retention_ms = retention_ms.saturating_mul(60_000);
        let wall_ms = turn.scope.wall_ms;
        self.remove(turn, |group, place, committed| {
            let since = unused_since(group, &place.0, committed);
            !group.offsets.is_pending(place)
                && since.is_some_and(|since| {
                    let explicit = committed.expire_ms;
                    wall_ms >= explicit.unwrap_or_else(|| since.saturating_add(retention_ms))
                })
        });
    }

    /// Removes the offsets of topics that are gone from the metadata.
    pub(super) fn forget_deleted_topics(&mut self, turn: &mut Turn<'_, '_, '_>) {
        let image: &ClusterImage = turn.scope.image;
        if image.version == self.image_version {
            return;
        }
        self.image_version = image.version;
        self.remove(turn, |_, place, _| !image.topics.contains_key(&place.0));
    }

    fn remove(&mut self, turn: &mut Turn<'_, '_, '_>, goes: impl Fn(&Group, &Place, &Committed) -> bool) {
        for (name, group) in &self.groups {
            let gone = group.offsets.iter().filter(|(place, committed)| goes(group, place, committed));
            let places: Vec<Place> = gone.map(|(place, _)| place.clone()).collect();
            if places.is_empty() {
                continue;
            }
            let mut entries: Vec<Entry> =
                places.iter().map(|place| records::offset(name, place, None)).collect();
            let whole = group.is_deserted() && group.offsets.iter().count() == places.len();
            if whole {
                entries.extend(group.tombstones(name));
            }
            let removal = Removal { group: name.clone(), places, whole, answer: None };
            turn.write(entries, Token::Removal(Box::new(removal)));
        }
    }
}

/// Since when an offset has had no use, time of day, ms; `None` while it has (Apache Kafka,
/// `ClassicGroup.offsetExpirationCondition`).
fn unused_since(group: &Group, topic: &str, committed: &Committed) -> Option<i64> {
    let classic = &group.classic;
    if let Some(consumer) = &group.consumer {
        return (!consumer.subscribes(topic)).then_some(committed.commit_ms);
    }
    match (classic.protocol_type(), classic.state()) {
        // Never had members.
        (None, _) => Some(committed.commit_ms),
        (Some(_), State::Empty) => Some(committed.commit_ms.max(classic.state_ms())),
        (Some(CONSUMER), State::Stable) if classic.knows_subscriptions() && !classic.subscribes(topic) => {
            Some(committed.commit_ms)
        }
        _ => None,
    }
}
