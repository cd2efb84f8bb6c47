//! One record at several offsets, or given twice to one reader at different offsets.

use history::{Offset, Partition, Tag};

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
is given the same offset again is a matter of `order`. A copy in the log that readers see too is one finding.",
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
    let mut examples: Vec<Witness> = Vec::new();
    for Extra { tag, partition, offset } in context.extras.iter().take(MAX_EXAMPLES) {
        examples.push(stored_twice(context, *tag, *partition, *offset));
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

fn stored_twice(context: &Context<'_>, tag: Tag, partition: Partition, offset: Offset) -> Witness {
    let at = context.find(tag).expect("only records that were sent are counted as copies");
    let place = context.producers[at.producer].place(at.send);
    let text = format!(
        "{tag} is at offset {} of partition {} and again at offset {offset} of partition {partition}",
        place.offset, place.partition
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
