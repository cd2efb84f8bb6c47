//! What the cluster's nodes said, as a story tells it: of the partition in question or of none, in this story's words,
//! and what says most first.

use super::subject::Subject;
use crate::rundir::NodeLine;

/// Characters told of one line; brokers list whole clusters in one.
const CHARS_MAX: usize = 400;

/// What Apache Kafka's brokers say of a partition when records may vanish, leaders change or replicas fall behind.
const WEIGHTY: [&str; 7] = [
    "Truncating partition",
    "Truncating to offset",
    "starts at leader epoch",
    "Shrinking ISR",
    "Expanding ISR",
    "nclean",
    "ecover",
];

/// How much a line says; what says more is told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// As much as the history's own notes.
    Much,
    /// Something of the partition, or of the cluster.
    Some,
    /// Anything else.
    Little,
}

/// How much of interest a line is; `None` if it is about other partitions.
pub(super) fn weight(topic: &str, subject: &Subject, line: &NodeLine) -> Option<Weight> {
    if line.error_ns == 0 {
        return is_of_interest(topic, subject, &line.text).then_some(Weight::Much);
    }
    let text = line.text.as_str();
    let mut named = partitions(text, topic).peekable();
    if named.peek().is_some() {
        let ours = subject.partition.is_some_and(|partition| named.any(|number| number == partition.0));
        let weighty = || WEIGHTY.iter().any(|words| text.contains(words));
        return ours.then(|| if weighty() { Weight::Much } else { Weight::Some });
    }
    // Kafka's own topics have names like `__consumer_offsets`.
    if text.contains("__") || names_a_partition(text) {
        return None;
    }
    let alarming = ["WARN ", "ERROR ", "FATAL "].iter().any(|level| text.starts_with(level));
    Some(if alarming { Weight::Some } else { Weight::Little })
}

/// Whether a node of the reference cluster spoke of the partition in question, or of no partition at all.
fn is_of_interest(topic: &str, subject: &Subject, text: &str) -> bool {
    let begins = text.split(": ").next().unwrap_or_default();
    let Some((name, partition)) = begins.rsplit_once('-') else { return true };
    let Ok(partition) = partition.parse::<u32>() else { return true };
    subject.partition.is_some_and(|subject| subject.0 == partition) && name == topic
}

/// The numbers of this topic's partitions that a text names.
fn partitions<'t>(text: &'t str, topic: &'t str) -> impl Iterator<Item = u32> + 't {
    let places = if topic.is_empty() { text.match_indices("\0") } else { text.match_indices(topic) };
    places.filter_map(move |(at, found)| {
        let digits = text[at + found.len()..].strip_prefix('-')?;
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        digits[..count].parse().ok()
    })
}

/// Whether a text says `partition NAME-N` of some topic.
fn names_a_partition(text: &str) -> bool {
    text.match_indices("artition").any(|(at, found)| {
        let name = text[at + found.len()..].trim_start_matches([' ', '=']);
        let name = name.split([' ', ',', ']', ')']).next().unwrap_or_default();
        name.rsplit_once('-')
            .is_some_and(|(topic, number)| !topic.is_empty() && number.parse::<u32>().is_ok())
    })
}

/// The partition by its number, as the rest of the story calls it; what is too long is cut off.
pub(super) fn named_as_here(topic: &str, line: &NodeLine) -> String {
    let text = line.text.as_str();
    let name = format!("{topic}-");
    if line.error_ns == 0 {
        // What a node of the reference cluster says of a partition begins with it.
        let rest = text.strip_prefix(name.as_str());
        return rest.map_or_else(|| text.to_owned(), |rest| format!("partition {rest}"));
    }
    let mut text = text.to_owned();
    for (before, told) in [
        ("partition ", "partition "),
        ("Partition ", "Partition "),
        ("partition=", "partition "),
        (" ", " partition "),
        ("(", "(partition "),
    ] {
        text = text.replace(&format!("{before}{name}"), told);
    }
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use history::{Nanos, Partition};

    use super::*;

    fn of(partition: Option<u32>, text: &str) -> (Option<Weight>, String) {
        let subject = Subject { partition: partition.map(Partition), ..Subject::default() };
        let line = NodeLine { at: Nanos(1), error_ns: 1, node: "node-1".to_owned(), text: text.to_owned() };
        (weight("hw-1", &subject, &line), named_as_here("hw-1", &line))
    }

    #[test]
    fn what_is_said_of_the_partition_weighs_most_and_of_others_nothing() {
        let said = "INFO [ReplicaFetcher replicaId=3, leaderId=1] Truncating partition hw-1-1 with TruncationState(offset=850)";
        let told = "INFO [ReplicaFetcher replicaId=3, leaderId=1] Truncating partition 1 with TruncationState(offset=850)";
        assert_eq!(of(Some(1), said), (Some(Weight::Much), told.to_owned()));
        assert_eq!(of(Some(0), said).0, None);
        assert_eq!(of(Some(11), said).0, None);
        assert_eq!(of(None, said).0, None);
        let leads = "INFO [Broker id=3] Leader hw-1-1 with topic id Some(x) starts at leader epoch 0";
        assert_eq!(of(Some(1), leads), (Some(Weight::Much), leads.replace("hw-1-1", "partition 1")));
        assert_eq!(of(Some(1), "INFO Created log for partition hw-1-1 in /d").0, Some(Weight::Some));
        assert_eq!(of(Some(1), "WARN [RaftManager id=3] Disconnected").0, Some(Weight::Some));
        assert_eq!(of(Some(1), "INFO [RaftManager id=3] Completed transition").0, Some(Weight::Little));
        assert_eq!(of(Some(1), "INFO [Partition orders-3 broker=1] Shrinking ISR").0, None);
        assert_eq!(of(Some(1), "INFO Removed fetcher for partitions Set(__consumer_offsets-3)").0, None);
    }

    #[test]
    fn lists_of_whole_clusters_are_cut_off() {
        let (_, told) = of(None, &"é".repeat(CHARS_MAX + 1));
        assert_eq!(told.chars().count(), CHARS_MAX + 1);
        assert!(told.ends_with('…'));
    }
}
