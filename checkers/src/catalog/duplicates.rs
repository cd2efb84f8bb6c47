//! One record at several offsets, or given twice to one reader at different offsets.

use std::collections::BTreeMap;

use history::{Offset, Partition};

use crate::context::{Context, Extra, MAX_EXAMPLES};
use crate::guarantees::DUPLICATES;
use crate::spec::{Basis, Kind, Spec};
use crate::{Finding, Witness};

pub(crate) static SPEC: Spec = Spec {
    name: "duplicates",
    summary: "one record at several offsets, or given twice to one reader",
    docs: "\
Counts the copies of a record beyond its first in the final log, and the records that one reader session was \
given at two offsets though the log holds one (the first copy was truncated after it was read). A reader that \
is given the same offset again is a matter of `order`. A copy in the log that readers see too is one finding. In \
a history from elsewhere a record is at every offset at which it was polled or acknowledged, except where \
another record was polled.",
    kinds: &[DUPLICATE],
    check,
};

const DUPLICATE: Kind = Kind {
    name: "duplicate",
    summary: "a record lies at more than one offset, or was delivered at two",
    noun: "second copies",
    of: Basis::Nothing,
    guarantee: Some(&DUPLICATES),
};

fn check(context: &Context<'_>) -> Vec<Finding> {
    let shown = &context.extras[..context.extras.len().min(MAX_EXAMPLES)];
    let offsets: Vec<(Partition, Offset)> = shown.iter().flat_map(|extra| places(context, extra)).collect();
    let polls = if context.derived.is_some() { context.polls_of(&offsets) } else { BTreeMap::new() };
    let mut examples: Vec<Witness> = Vec::new();
    for extra in shown {
        let polled = places(context, extra).into_iter().filter_map(|at| polls.get(&at)).flatten();
        let sender = context.derived.as_ref().and_then(|_| context.sender(extra.tag));
        examples.push(stored_twice(context, *extra).with(sender).with(polled.cloned()));
    }
    let stored = context.extras.len() as u64;
    let delivered = context.twice_delivered();
    for twice in delivered.iter().take(MAX_EXAMPLES - examples.len()) {
        let text = format!(
            "{} was given {} at offset {} and at offset {} of partition {}",
            context.readers[twice.reader].session.name(),
            twice.tag,
            twice.offsets.0,
            twice.offsets.1,
            twice.partition
        );
        examples.push(context.witness(
            text,
            Some(twice.tag),
            Some(twice.partition),
            Some(twice.offsets.1),
            None,
        ));
    }
    let count = stored + delivered.len() as u64;
    if count == 0 {
        return Vec::new();
    }
    let summary = format!("second copies: {stored} in the log, {} only at readers", delivered.len());
    vec![DUPLICATE.finding(&SPEC, count, summary, examples)]
}

/// The first place of a record, and one of its others.
fn places(context: &Context<'_>, extra: &Extra) -> [(Partition, Offset); 2] {
    let at = context.find(extra.tag).expect("only records that were sent are counted as copies");
    let place = context.producers[at.producer].place(at.send);
    [(place.partition, place.offset), (extra.partition, extra.offset)]
}

fn stored_twice(context: &Context<'_>, extra: Extra) -> Witness {
    let Extra { tag, partition, offset } = extra;
    let at = context.find(tag).expect("only records that were sent are counted as copies");
    let [(first_partition, first), _] = places(context, &extra);
    let text = format!(
        "{} is at offset {first} of partition {} and again at offset {offset} of partition {}",
        context.name(tag),
        context.history.partition_name(first_partition),
        context.history.partition_name(partition),
    );
    let send = context.send(at);
    context.witness(
        text,
        Some(tag),
        Some(partition),
        Some(offset),
        Some(send.completed.unwrap_or(send.invoked)),
    )
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn a_second_copy_in_the_log_is_one_finding_however_many_see_it() {
        let text = "p0#0 0@0 acked\n log 0: p0#0 p0#0";
        check(text, "duplicate 1");
        check(&format!("{text}\n read r0 0: 0=p0#0 1=p0#0\n caught r0"), "duplicate 1");
        check("p0#0 0@0 acked\n log 0: p0#0\n log 1: p0#0", "duplicate 1");
        check("p0#0 0@0 acked\n log 0: p0#0 p0#0 p0#0", "duplicate 2");
    }

    #[test]
    fn the_same_number_of_another_session_is_another_record() {
        check("p0#0 0@0 acked\n p0.1#0 0@1 acked\n p1#0 0@2 acked\n log 0: p0#0 p0.1#0 p1#0", "");
    }

    #[test]
    fn a_record_read_truncated_and_read_again_was_given_twice() {
        let log = "p1#0 0@0 acked\n p0#0 0@1 acked\n log 0: p1#0 p0#0";
        check(&format!("{log}\n read r0 0: 0=p0#0 1=p0#0"), "duplicate 1");
    }
}
