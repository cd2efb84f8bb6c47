//! Every combination of settings and faults against the tables of the guarantees, written out a second
//! time in other words, and the texts that go with them.

use std::collections::BTreeSet;

use history::FaultClass::{
    self, AddPartitions, AlterTopicConfigs, ClockBump, ClockSkew, ClockStrobe, CorruptPackets, DiskFull,
    DropCache, DropResponses, DuplicatePackets, FlipBit, IsolateClients, IsolateController,
    IsolateCoordinator, IsolateFollowers, IsolateLeader, IsolateMinority, IsolateOneWay, Kill,
    KillCoordinator, KillMember, KillProducer, KillReader, LossyLinks, NarrowLinks, PartialPartition, Pause,
    PauseMember, PauseProducer, PowerFailure, PowerFailureAll, PreferredElection, ReadOnlyDisk,
    ReassignReplicas, RebalanceStorm, ReorderPackets, RollingRestart, SlowClients, SlowDisk, SlowLinks,
    StaleDisk, Stop, TruncateLog, UncleanElection,
};

use super::*;
use crate::Word;
use Effects::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use Expectation::{MayBreak, MustHold, NoGuarantee};

/// Fault plans, by hand: can leadership move, can the whole ISR be out at once.
const PLANS: &[(&[FaultClass], bool, bool)] = &[
    (&[PowerFailure], true, false),
    (&[PowerFailure, PowerFailure], true, true),
    (&[PowerFailureAll], true, true),
    (&[PowerFailure, Kill], true, true),
    (&[PowerFailure, IsolateFollowers], true, true),
    (&[], false, false),
    (&[Kill], true, false),
    (&[Pause], true, false),
    (&[IsolateLeader], true, false),
    (&[IsolateFollowers], false, false),
    (&[IsolateFollowers, IsolateFollowers], false, false),
    (&[Kill, Kill], true, true),
    (&[Pause, Pause], true, true),
    (&[IsolateLeader, IsolateLeader], true, true),
    (&[Kill, Pause], true, true),
    (&[Kill, IsolateLeader], true, true),
    (&[Kill, IsolateFollowers], true, true),
    (&[Pause, IsolateLeader], true, true),
    (&[Pause, IsolateFollowers], true, true),
    (&[IsolateLeader, IsolateFollowers], true, true),
    (&[Kill, Pause, IsolateLeader, IsolateFollowers], true, true),
    // Graceful ends move leadership too.
    (&[Stop], true, false),
    (&[Stop, Stop], true, true),
    (&[RollingRestart], true, true),
    (&[IsolateMinority], true, false),
    (&[IsolateMinority, Kill], true, true),
    (&[IsolateOneWay], true, true),
    (&[IsolateController], true, true),
    // Follower-only.
    (&[PartialPartition], false, false),
    (&[PartialPartition, Kill], true, true),
    (&[SlowLinks, NarrowLinks], false, false),
    (&[NarrowLinks, Stop], true, true),
    // Links of clients.
    (&[IsolateClients], false, false),
    (&[DropResponses], false, false),
    (&[SlowClients], false, false),
    (&[DropResponses, Kill], true, false),
    (&[PowerFailure, DropResponses], true, false),
    (&[PowerFailure, IsolateClients], true, false),
    (&[PowerFailure, SlowLinks], true, true),
    // Disks: a full one ends a broker, a read-only one takes what was not synced.
    (&[DiskFull], true, false),
    (&[DiskFull, DiskFull], true, true),
    (&[ReadOnlyDisk], true, false),
    (&[ReadOnlyDisk, Kill], true, true),
    (&[SlowDisk], true, true),
    (&[DropCache], false, false),
    (&[TruncateLog], true, false),
    (&[FlipBit], true, false),
    (&[StaleDisk], true, false),
    (&[StaleDisk, Kill], true, true),
    (&[FlipBit, IsolateFollowers], true, true),
    (&[TruncateLog, ReadOnlyDisk], true, true),
    (&[FlipBit, PreferredElection], true, false),
    (&[StaleDisk, PreferredElection], true, false),
    // Clocks.
    (&[ClockBump], true, true),
    (&[ClockSkew, ClockStrobe], true, true),
    // Packets.
    (&[LossyLinks, ReorderPackets, DuplicatePackets, CorruptPackets], false, false),
    // Applications.
    (&[KillProducer, KillReader], false, false),
    (&[PauseProducer], false, false),
    (&[KillProducer, PauseProducer, Kill], true, false),
    (&[PowerFailure, KillProducer, PauseProducer], true, false),
    // Requests to the cluster about the topic.
    (&[ReassignReplicas], true, false),
    (&[ReassignReplicas, Kill], true, false),
    (&[ReassignReplicas, PowerFailure], true, false),
    (&[ReassignReplicas, UncleanElection, Stop], true, false),
    (&[PreferredElection], true, false),
    (&[PreferredElection, IsolateFollowers], true, false),
    (&[UncleanElection, Kill], true, false),
    (&[UncleanElection, Kill, IsolateFollowers], true, true),
    (&[UncleanElection, PowerFailure, PowerFailure], true, true),
    (&[AddPartitions], false, false),
    (&[AlterTopicConfigs], false, false),
    (&[AddPartitions, AlterTopicConfigs, Kill, Kill], true, true),
    (&[AlterTopicConfigs, PowerFailure], true, false),
    // A consumer group.
    (&[KillCoordinator], true, false),
    (&[IsolateCoordinator], true, false),
    (&[KillCoordinator, IsolateCoordinator], true, true),
    (&[IsolateCoordinator, IsolateFollowers], true, true),
    (&[KillMember, PauseMember, RebalanceStorm], false, false),
    (&[KillMember, Kill], true, false),
];

/// Links of clients, clients themselves, and requests have nothing to do with what brokers lose.
fn of_brokers(case: &Case) -> Vec<FaultClass> {
    let of_them = |class: &FaultClass| !class.spares_brokers() && *class != DropCache;
    case.faults.iter().copied().filter(of_them).collect()
}

/// A combination with its plan's two facts.
struct Case {
    faults: &'static [FaultClass],
    terms: Terms,
    moves: bool,
    empties: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for acks in [Acks::None, Acks::Leader, Acks::All] {
        for (replicas, min_isr) in [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)] {
            for bits in 0..512_u32 {
                for &(faults, moves, empties) in PLANS {
                    let mut envelope = Envelope::default();
                    faults.iter().for_each(|class| envelope.add(*class));
                    let bit = |number: u32| bits & (1 << number) != 0;
                    let (unclean, idempotent, retry, undisturbed) = (bit(0), bit(1), bit(2), bit(3));
                    let flush_each = bit(4);
                    let terms = Terms {
                        acks,
                        min_isr,
                        replicas,
                        unclean,
                        // Nothing that has to do with the other.
                        rebalances: bit(7),
                        idempotent,
                        flush_each,
                        retry,
                        undisturbed,
                        gave_up: bit(8),
                        read_committed: !bit(5),
                        transactional: bit(6),
                        strict_serializable: bit(7),
                        commits: true,
                        group: None,
                        sinks: true,
                        effects: [None, Some(ExactlyOnce), Some(AtLeastOnce), Some(AtMostOnce)]
                            [bits as usize % 4],
                        envelope,
                    };
                    cases.push(Case { faults, terms, moves, empties });
                }
            }
        }
    }
    cases
}

/// The table of acknowledged loss, row by row as it is written.
fn loss_table(case: &Case, acks: Acks) -> Expectation {
    // By request, beside anything that takes a leader out.
    let takes_out = |class: &FaultClass| class.moves_leadership() && !class.is_administrative();
    let asked = case.faults.contains(&UncleanElection) && case.faults.iter().any(takes_out);
    let clean = !case.terms.unclean && !asked;
    let moving = case.faults.contains(&ReassignReplicas);
    let power: Vec<_> = case.faults.iter().filter(|class| class.loses_power()).collect();
    let dark = !power.is_empty() && !case.terms.flush_each;
    let damaged = case.faults.iter().any(|class| class.damages_disk());
    let leads_again = case.terms.rebalances || case.faults.contains(&PreferredElection);
    match (acks, case.terms.replicas, case.terms.min_isr) {
        (Acks::None, _, _) => NoGuarantee,
        // One replica: whatever its disk has lost.
        (_, 1, _) if damaged => MayBreak,
        // Several: one damaged disk and nothing else, and it must not lead again unless it is merely old.
        (Acks::All, _, min) if damaged && (clean || !case.empties) => match of_brokers(case)[..] {
            [StaleDisk] if min > 1 => MustHold,
            [TruncateLog | FlipBit] if min > 1 && !leads_again => MustHold,
            _ => MayBreak,
        },
        // RF 1: power failure without flush=1.
        (_, 1, _) if dark => MayBreak,
        // acks=1, RF 1: the replica moves, and what it had alone need not.
        (Acks::Leader, 1, _) if moving => MayBreak,
        // RF 1: the replica moves, and unclean election takes the one that is not there yet.
        (_, 1, _) if moving && !clean && !of_brokers(case).is_empty() => MayBreak,
        // acks=1 or all, RF 1: process kill and pause, partition.
        (_, 1, _) => MustHold,
        // acks=1, RF ≥ 2: no fault, follower-only faults; not anything that can move leadership.
        (Acks::Leader, _, _) if case.moves => MayBreak,
        // An unclean election asked for, beside a fault that takes a broker out.
        (Acks::All, _, _) if asked => MayBreak,
        // acks=all, min ISR 1, clean: power failure of any node.
        (Acks::All, _, 1) if dark && (clean || !case.empties) => MayBreak,
        // acks=all, min ISR ≥ 2: power failure of ONE node and nothing else, not of several, nor beside others.
        (Acks::All, _, _) if dark && (clean || !case.empties) => {
            if matches!(of_brokers(case)[..], [PowerFailure | ReadOnlyDisk]) { MustHold } else { MayBreak }
        }
        // acks=all, min ISR 1, clean: any process or network fault.
        (Acks::All, _, 1) if clean => MustHold,
        // acks=all, min ISR ≥ 2, clean: any number of kills, pauses, partitions.
        (Acks::All, _, _) if clean => MustHold,
        // Unclean: no fault, or faults that cannot take the whole ISR out at once.
        (_, _, _) if !clean && case.empties => MayBreak,
        _ => MustHold,
    }
}

fn expected(case: &Case, guarantee: &str) -> Option<Expectation> {
    let terms = &case.terms;
    let loss = loss_table(case, terms.acks);
    let numbered = if loss == MustHold { MustHold } else { MayBreak };
    Some(match guarantee {
        "acknowledged-loss" => loss,
        "unconfirmed-loss" if terms.acks == Acks::None => MayBreak,
        "unconfirmed-loss" => return None,
        "phantoms" if !case.faults.contains(&FlipBit) => MustHold,
        "phantoms" | "availability" => {
            let alone = matches!(of_brokers(case)[..], [TruncateLog | FlipBit]);
            let damaged = case.faults.iter().any(|class| matches!(class, TruncateLog | FlipBit));
            let leads_again = terms.rebalances || case.faults.contains(&PreferredElection);
            if damaged && !(alone && terms.replicas > 1 && terms.min_isr > 1 && !leads_again) {
                MayBreak
            } else {
                MustHold
            }
        }
        "silent-loss" => MustHold,
        "client-loss" | "contiguous-sends" => NoGuarantee,
        "duplicates" => match (terms.idempotent, terms.retry, terms.undisturbed) {
            (true, true, _) if terms.gave_up => MayBreak,
            (true, _, _) => numbered,
            (false, false, _) => {
                if case.moves {
                    MayBreak
                } else {
                    MustHold
                }
            }
            (false, true, true) if terms.envelope.classes.is_empty() => MustHold,
            (false, true, _) => MayBreak,
        },
        "order" => {
            if terms.idempotent {
                numbered
            } else {
                MayBreak
            }
        }
        "visibility" | "unseen" | "reading-order" => loss_table(case, Acks::All),
        "offsets" | "real-time-order" if terms.acks == Acks::None => loss_table(case, Acks::All),
        "offsets" | "real-time-order" => loss,
        "transaction-isolation" | "atomicity" | "fencing" if !terms.transactional => return None,
        "aborted-reads" | "transaction-isolation" if terms.transactional && !terms.read_committed => {
            NoGuarantee
        }
        "aborted-reads" | "transaction-isolation" | "atomicity" | "fencing"
            if terms.transactional && loss_table(case, Acks::All) == MayBreak =>
        {
            MayBreak
        }
        "atomicity" | "aborted-reads" if terms.transactional => {
            let held_back = |class: &FaultClass| match class {
                Pause | SlowLinks | NarrowLinks => true,
                // Every isolation of a client or a coordinator; the controller is neither.
                IsolateLeader | IsolateFollowers | IsolateMinority | IsolateOneWay | PartialPartition => true,
                IsolateClients | SlowClients | PauseProducer => true,
                IsolateCoordinator | PauseMember => true,
                KillProducer | KillReader => false,
                KillCoordinator | KillMember | RebalanceStorm => false,
                Kill | Stop | RollingRestart | DropResponses | IsolateController => false,
                PowerFailure | PowerFailureAll => false,
                ReassignReplicas | PreferredElection | UncleanElection | AddPartitions
                | AlterTopicConfigs => false,
                DiskFull | ReadOnlyDisk | TruncateLog | FlipBit | StaleDisk | DropCache => false,
                SlowDisk | LossyLinks | ReorderPackets | DuplicatePackets | CorruptPackets => true,
                ClockBump | ClockSkew | ClockStrobe => true,
            };
            // One from elsewhere tells of no fault, and is held to what holds without.
            if !terms.envelope.unknown && terms.envelope.classes.iter().any(held_back) {
                MayBreak
            } else {
                MustHold
            }
        }
        "aborted-reads" | "transaction-isolation" | "fencing" => MustHold,
        // Without a group there is nothing to say.
        "ownership" | "redelivery" => return None,
        "commits" => MustHold,
        "effect-loss" => match terms.effects {
            Some(ExactlyOnce | AtLeastOnce) => MustHold,
            Some(AtMostOnce) => MayBreak,
            None => NoGuarantee,
        },
        "effect-duplicates" => match terms.effects {
            Some(ExactlyOnce | AtMostOnce) => MustHold,
            Some(AtLeastOnce) => MayBreak,
            None => NoGuarantee,
        },
        "strict-serializability" if terms.strict_serializable => MustHold,
        "strict-serializability" => NoGuarantee,
        "end-offsets" => {
            if case.moves {
                MayBreak
            } else {
                MustHold
            }
        }
        other => panic!("no table for {other}"),
    })
}

#[test]
fn every_rule_answers_as_the_tables_say() {
    let cases = cases();
    assert_eq!(cases.len(), 3 * 6 * 512 * PLANS.len());
    for case in cases {
        for guarantee in GUARANTEES {
            let answer = (guarantee.rule)(&case.terms).map(|promise| promise.expectation);
            assert_eq!(answer, expected(&case, guarantee.name), "{}: {:?}", guarantee.name, case.terms);
        }
    }
}

#[test]
fn more_faults_never_promise_more() {
    let classes: BTreeSet<_> = PLANS.iter().flat_map(|(faults, ..)| faults.iter().copied()).collect();
    // One fault more than none or one; what several do together is in the tables.
    for case in cases().into_iter().filter(|case| case.faults.len() <= 1) {
        let promised: Vec<_> = GUARANTEES
            .iter()
            .filter(|each| (each.rule)(&case.terms).is_some_and(Promise::is_must_hold))
            .collect();
        for &class in &classes {
            let mut worse = case.terms.clone();
            worse.envelope.add(class);
            for guarantee in
                GUARANTEES.iter().filter(|each| (each.rule)(&worse).is_some_and(Promise::is_must_hold))
            {
                let before = promised.iter().any(|each| std::ptr::eq(*each, guarantee));
                assert!(before, "{}: {:?} and {class}", guarantee.name, case.terms);
            }
        }
    }
}

/// What the members of a group owe, by when they commit and what may happen, on topics that lose nothing.
#[test]
fn a_group_is_promised_what_its_commits_allow() {
    const AFTER: Commits = Commits::After;
    let table: &[(Commits, bool, &[FaultClass], Expectation, Expectation)] = &[
        (AFTER, false, &[], MustHold, NoGuarantee),
        (AFTER, false, &[KillMember, PauseMember, RebalanceStorm], MustHold, NoGuarantee),
        (AFTER, false, &[KillCoordinator, IsolateCoordinator], MustHold, NoGuarantee),
        (AFTER, true, &[], MayBreak, NoGuarantee),
        (Commits::First, false, &[], MustHold, MustHold),
        (Commits::First, false, &[PauseMember], MustHold, MustHold),
        (Commits::First, false, &[KillProducer, KillCoordinator], MustHold, MustHold),
        (Commits::First, false, &[KillMember], MayBreak, MustHold),
        (Commits::First, false, &[RebalanceStorm], MayBreak, MustHold),
        (Commits::First, false, &[RebalanceStorm, PauseMember], MayBreak, MayBreak),
        (Commits::First, false, &[IsolateCoordinator], MustHold, MayBreak),
        (Commits::First, false, &[PowerFailure], MustHold, MayBreak),
        (Commits::Automatic, false, &[], MustHold, NoGuarantee),
        (Commits::Automatic, false, &[PauseMember, Kill], MustHold, NoGuarantee),
        (Commits::Automatic, false, &[KillMember], MayBreak, NoGuarantee),
        (Commits::Automatic, true, &[KillMember], MayBreak, NoGuarantee),
        // Where records may be lost, nobody can be given them.
        (AFTER, false, &[PowerFailureAll], MayBreak, NoGuarantee),
    ];
    let plain = cases().into_iter().find(|case| case.terms.min_isr == 2 && case.terms.replicas == 3);
    let plain = plain.expect("there is one").terms;
    for (commits, skips_the_start, faults, unseen, redelivery) in table {
        let mut terms = Terms { acks: Acks::All, unclean: false, flush_each: false, ..plain.clone() };
        terms.group = Some(GroupTerms { commits: *commits, skips_the_start: *skips_the_start });
        terms.envelope = Envelope::default();
        faults.iter().for_each(|class| terms.envelope.add(*class));
        let of = |name: &str| {
            let guarantee = GUARANTEES.iter().find(|each| each.name == name).expect("it is there");
            (guarantee.rule)(&terms).map(|promise| promise.expectation)
        };
        let answers = (of("unseen"), of("redelivery"), of("ownership"));
        assert_eq!(answers, (Some(*unseen), Some(*redelivery), Some(MustHold)), "{commits:?} {faults:?}");
    }
}

/// Two of five are out at once; of three it is one.
#[test]
fn a_minority_is_as_large_as_the_cluster_makes_it() {
    let of = |nodes| Envelope::of(&crate::testing::planned(IsolateMinority), nodes).can_empty_isr();
    assert_eq!([0, 3, 4, 5, 7].map(of), [false, false, false, true, true]);
}

/// A history from elsewhere tells of no fault and had no drain and no heal of ours.
#[test]
fn what_others_recorded_may_have_had_any_fault_of_processes_and_the_network() {
    for mut case in cases() {
        case.terms.envelope = Envelope::unknown();
        for guarantee in GUARANTEES {
            let answer = (guarantee.rule)(&case.terms).map(|promise| promise.expectation);
            case.moves = true;
            case.empties = true;
            case.faults = &[Kill, Pause, IsolateLeader, IsolateFollowers];
            let expected = match guarantee.name {
                "silent-loss" | "visibility" | "availability" => None,
                // Nobody drained it: what was never given may as well be lost.
                "unseen" => match expected(&case, "acknowledged-loss") {
                    Some(MustHold) => expected(&case, "unseen"),
                    may => may,
                },
                other => expected(&case, other),
            };
            assert_eq!(answer, expected, "{}: {:?}", guarantee.name, case.terms);
        }
    }
}

#[test]
fn names_are_unique_and_speak() {
    let names: BTreeSet<&str> = GUARANTEES.iter().map(|guarantee| guarantee.name).collect();
    assert_eq!(names.len(), GUARANTEES.len());
    for guarantee in GUARANTEES {
        assert!(!guarantee.promise.is_empty());
        assert!(guarantee.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", guarantee.name);
    }
}

/// What a user reads, for every promise that a rule can make.
#[test]
fn the_texts_are_these() {
    let mut seen = BTreeSet::new();
    let mut text = String::new();
    for guarantee in GUARANTEES {
        for case in cases() {
            let Some(promise) = (guarantee.rule)(&case.terms) else { continue };
            if !seen.insert((guarantee.name, format!("{:?}", promise.cause))) {
                continue;
            }
            assert!(!promise.cause.source().is_empty() && !promise.cause.clause().is_empty());
            let advice = match promise.expectation {
                MayBreak => advice(guarantee, promise.cause, Word::Shown).unwrap_or("-"),
                _ => "",
            };
            let expectation = format!("{:?}", promise.expectation);
            let line = format!("{} {expectation}: {} | {advice}", guarantee.name, promise.cause.reason());
            text.push_str(line.trim_end_matches(" | "));
            text.push('\n');
        }
    }
    insta::assert_snapshot!(text, @r"
    acknowledged-loss NoGuarantee: with acks=0 no broker confirms anything, and a record may vanish unnoticed
    acknowledged-loss MayBreak: the only replica acknowledges what is in its page cache, which a planned power failure takes | set replication.factor=3, acks=all and min.insync.replicas=2, or flush.messages=1: a record is then on several brokers, or on the disk
    acknowledged-loss MustHold: the only replica keeps what it wrote through kills, pauses and cuts: the page cache outlives the process
    acknowledged-loss MayBreak: the only replica has its disk taken from or damaged by a planned fault, synced or not | set replication.factor=3, acks=all and min.insync.replicas=2: no setting of one broker survives its disk
    acknowledged-loss MayBreak: acks=1 confirms before any follower has the record, and a planned fault can move leadership to one that lacks it | set acks=all and min.insync.replicas=2: a record is then confirmed only when a second replica has it
    acknowledged-loss MustHold: flush.messages=1 syncs a record before it is acknowledged
    acknowledged-loss MustHold: acks=1 needs the leader alone, and no planned fault moves leadership
    acknowledged-loss MustHold: unclean election is on, but the planned faults cannot take every in-sync replica out at once
    acknowledged-loss MayBreak: an unclean election is asked for, which may choose a replica that lacks records once every in-sync one is out, as the other faults allow | wait for a replica that was in sync instead of asking for an unclean election: it has every record
    acknowledged-loss MayBreak: unclean election may choose a replica that lacks records once every in-sync one is out, as these faults allow | set unclean.leader.election.enable=false: the partition then waits for a replica that has every record
    acknowledged-loss MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, lose its power and be elected again | set min.insync.replicas=2, or flush.messages=1: nothing is then acknowledged by one replica's memory alone
    acknowledged-loss MustHold: acks=all waits for every in-sync replica and only those are elected, so process and network faults lose nothing
    acknowledged-loss MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, have its disk damaged and be elected again | set min.insync.replicas=2: nothing is then acknowledged by one replica's disk alone
    acknowledged-loss MustHold: one broker loses its power, and nothing else planned keeps the other in-sync replicas from having every acknowledged record
    acknowledged-loss MayBreak: the planned power failures can hit replicas before the others are in sync again, and what is acknowledged is in memory only | set flush.messages=1, or keep the replicas on separate power: acks=all is replication in memory
    acknowledged-loss MustHold: acks=all with min.insync.replicas of 2 or more confirms what at least two replicas have, and only those are elected
    acknowledged-loss MustHold: one broker has its disk damaged while it is out of the ISR, and nothing else planned keeps the other in-sync replicas from having every acknowledged record
    acknowledged-loss MayBreak: a planned fault damages a disk, and another can take out the replicas that have what is missing there | -
    acknowledged-loss MayBreak: Kafka trusts its disk after an orderly end, and a damaged replica may lead again: by itself (auto.leader.rebalance.enable), or because it is asked for | let a broker whose disk was tampered with copy its logs anew before it leads: remove them while it is down
    unconfirmed-loss MayBreak: with acks=0 no broker confirms anything, and a record may vanish unnoticed | set acks=all and min.insync.replicas=2: with acks=0 the application is never told of a loss
    silent-loss MustHold: a client that is closed in an orderly way has reported on every record
    client-loss NoGuarantee: what a killed application left in its client's memory is gone
    duplicates MayBreak: librdkafka sends again after `not leader` even with retries=0, and the old leader may have appended and replicated | set enable.idempotence=true: retries=0 does not keep this client from sending a batch twice
    duplicates MustHold: retries=0 sends nothing twice while leadership stays
    duplicates MayBreak: brokers forget a producer's numbers together with its records, and this configuration may lose acknowledged ones | set acks=all, min.insync.replicas=2 and clean election: idempotence is as good as the brokers' memory
    duplicates MayBreak: without idempotence a retry whose first try arrived is a second copy | set enable.idempotence=true: brokers then recognise a retried batch and keep one copy
    duplicates MustHold: no fault was planned and no client reported a retry or an error
    duplicates MayBreak: a producer that gave up records after delivery.timeout.ms begins a new epoch, and sends what it had in flight again under it | raise delivery.timeout.ms above the longest outage: a producer that gives nothing up keeps its numbers
    duplicates MustHold: an idempotent producer numbers its batches, and brokers that lose nothing refuse copies and gaps
    order MayBreak: without idempotence a retried batch may land behind the ones sent after it | set enable.idempotence=true: it keeps the order with up to five requests in flight
    order MayBreak: brokers forget a producer's numbers together with its records, and this configuration may lose acknowledged ones | set acks=all, min.insync.replicas=2 and clean election: idempotence is as good as the brokers' memory
    order MustHold: an idempotent producer numbers its batches, and brokers that lose nothing refuse copies and gaps
    visibility MayBreak: the only replica acknowledges what is in its page cache, which a planned power failure takes | -
    visibility MustHold: the only replica keeps what it wrote through kills, pauses and cuts: the page cache outlives the process
    visibility MayBreak: the only replica has its disk taken from or damaged by a planned fault, synced or not | -
    visibility MayBreak: an unclean election is asked for, which may choose a replica that lacks records once every in-sync one is out, as the other faults allow | -
    visibility MayBreak: unclean election may choose a replica that lacks records once every in-sync one is out, as these faults allow | set unclean.leader.election.enable=false: readers then never see records that vanish
    visibility MustHold: flush.messages=1 syncs a record before it is acknowledged
    visibility MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, lose its power and be elected again | -
    visibility MustHold: readers are served only what every in-sync replica has, and only those are elected
    visibility MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, have its disk damaged and be elected again | -
    visibility MustHold: unclean election is on, but the planned faults cannot take every in-sync replica out at once
    visibility MustHold: one broker loses its power, and nothing else planned keeps the other in-sync replicas from having every acknowledged record
    visibility MayBreak: the planned power failures can hit replicas before the others are in sync again, and what is acknowledged is in memory only | -
    visibility MustHold: one broker has its disk damaged while it is out of the ISR, and nothing else planned keeps the other in-sync replicas from having every acknowledged record
    visibility MayBreak: a planned fault damages a disk, and another can take out the replicas that have what is missing there | -
    visibility MayBreak: Kafka trusts its disk after an orderly end, and a damaged replica may lead again: by itself (auto.leader.rebalance.enable), or because it is asked for | -
    unseen MayBreak: the only replica acknowledges what is in its page cache, which a planned power failure takes | -
    unseen MustHold: the only replica keeps what it wrote through kills, pauses and cuts: the page cache outlives the process
    unseen MayBreak: the only replica has its disk taken from or damaged by a planned fault, synced or not | -
    unseen MayBreak: an unclean election is asked for, which may choose a replica that lacks records once every in-sync one is out, as the other faults allow | -
    unseen MayBreak: unclean election may choose a replica that lacks records once every in-sync one is out, as these faults allow | -
    unseen MustHold: flush.messages=1 syncs a record before it is acknowledged
    unseen MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, lose its power and be elected again | -
    unseen MustHold: readers are served only what every in-sync replica has, and only those are elected
    unseen MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, have its disk damaged and be elected again | -
    unseen MustHold: unclean election is on, but the planned faults cannot take every in-sync replica out at once
    unseen MustHold: one broker loses its power, and nothing else planned keeps the other in-sync replicas from having every acknowledged record
    unseen MayBreak: the planned power failures can hit replicas before the others are in sync again, and what is acknowledged is in memory only | -
    unseen MustHold: one broker has its disk damaged while it is out of the ISR, and nothing else planned keeps the other in-sync replicas from having every acknowledged record
    unseen MayBreak: a planned fault damages a disk, and another can take out the replicas that have what is missing there | -
    unseen MayBreak: Kafka trusts its disk after an orderly end, and a damaged replica may lead again: by itself (auto.leader.rebalance.enable), or because it is asked for | -
    reading-order MayBreak: the only replica acknowledges what is in its page cache, which a planned power failure takes | -
    reading-order MustHold: the only replica keeps what it wrote through kills, pauses and cuts: the page cache outlives the process
    reading-order MayBreak: the only replica has its disk taken from or damaged by a planned fault, synced or not | -
    reading-order MayBreak: an unclean election is asked for, which may choose a replica that lacks records once every in-sync one is out, as the other faults allow | -
    reading-order MayBreak: unclean election may choose a replica that lacks records once every in-sync one is out, as these faults allow | -
    reading-order MustHold: flush.messages=1 syncs a record before it is acknowledged
    reading-order MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, lose its power and be elected again | -
    reading-order MustHold: readers are served only what every in-sync replica has, and only those are elected
    reading-order MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, have its disk damaged and be elected again | -
    reading-order MustHold: unclean election is on, but the planned faults cannot take every in-sync replica out at once
    reading-order MustHold: one broker loses its power, and nothing else planned keeps the other in-sync replicas from having every acknowledged record
    reading-order MayBreak: the planned power failures can hit replicas before the others are in sync again, and what is acknowledged is in memory only | -
    reading-order MustHold: one broker has its disk damaged while it is out of the ISR, and nothing else planned keeps the other in-sync replicas from having every acknowledged record
    reading-order MayBreak: a planned fault damages a disk, and another can take out the replicas that have what is missing there | -
    reading-order MayBreak: Kafka trusts its disk after an orderly end, and a damaged replica may lead again: by itself (auto.leader.rebalance.enable), or because it is asked for | -
    contiguous-sends NoGuarantee: records of other producers may lie between those of one transaction
    offsets MayBreak: the only replica acknowledges what is in its page cache, which a planned power failure takes | -
    offsets MustHold: the only replica keeps what it wrote through kills, pauses and cuts: the page cache outlives the process
    offsets MayBreak: the only replica has its disk taken from or damaged by a planned fault, synced or not | -
    offsets MayBreak: an unclean election is asked for, which may choose a replica that lacks records once every in-sync one is out, as the other faults allow | -
    offsets MayBreak: unclean election may choose a replica that lacks records once every in-sync one is out, as these faults allow | -
    offsets MustHold: flush.messages=1 syncs a record before it is acknowledged
    offsets MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, lose its power and be elected again | -
    offsets MustHold: readers are served only what every in-sync replica has, and only those are elected
    offsets MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, have its disk damaged and be elected again | -
    offsets MustHold: unclean election is on, but the planned faults cannot take every in-sync replica out at once
    offsets MustHold: one broker loses its power, and nothing else planned keeps the other in-sync replicas from having every acknowledged record
    offsets MayBreak: the planned power failures can hit replicas before the others are in sync again, and what is acknowledged is in memory only | -
    offsets MustHold: one broker has its disk damaged while it is out of the ISR, and nothing else planned keeps the other in-sync replicas from having every acknowledged record
    offsets MayBreak: a planned fault damages a disk, and another can take out the replicas that have what is missing there | -
    offsets MayBreak: Kafka trusts its disk after an orderly end, and a damaged replica may lead again: by itself (auto.leader.rebalance.enable), or because it is asked for | -
    offsets MayBreak: acks=1 confirms before any follower has the record, and a planned fault can move leadership to one that lacks it | -
    offsets MustHold: acks=1 needs the leader alone, and no planned fault moves leadership
    offsets MustHold: acks=all waits for every in-sync replica and only those are elected, so process and network faults lose nothing
    offsets MustHold: acks=all with min.insync.replicas of 2 or more confirms what at least two replicas have, and only those are elected
    commits MustHold: a consumer's position moves with what it is given, unless it seeks or its partitions are moved
    real-time-order MayBreak: the only replica acknowledges what is in its page cache, which a planned power failure takes | -
    real-time-order MustHold: the only replica keeps what it wrote through kills, pauses and cuts: the page cache outlives the process
    real-time-order MayBreak: the only replica has its disk taken from or damaged by a planned fault, synced or not | -
    real-time-order MayBreak: an unclean election is asked for, which may choose a replica that lacks records once every in-sync one is out, as the other faults allow | -
    real-time-order MayBreak: unclean election may choose a replica that lacks records once every in-sync one is out, as these faults allow | -
    real-time-order MustHold: flush.messages=1 syncs a record before it is acknowledged
    real-time-order MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, lose its power and be elected again | -
    real-time-order MustHold: readers are served only what every in-sync replica has, and only those are elected
    real-time-order MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, have its disk damaged and be elected again | -
    real-time-order MustHold: unclean election is on, but the planned faults cannot take every in-sync replica out at once
    real-time-order MustHold: one broker loses its power, and nothing else planned keeps the other in-sync replicas from having every acknowledged record
    real-time-order MayBreak: the planned power failures can hit replicas before the others are in sync again, and what is acknowledged is in memory only | -
    real-time-order MustHold: one broker has its disk damaged while it is out of the ISR, and nothing else planned keeps the other in-sync replicas from having every acknowledged record
    real-time-order MayBreak: a planned fault damages a disk, and another can take out the replicas that have what is missing there | -
    real-time-order MayBreak: Kafka trusts its disk after an orderly end, and a damaged replica may lead again: by itself (auto.leader.rebalance.enable), or because it is asked for | -
    real-time-order MayBreak: acks=1 confirms before any follower has the record, and a planned fault can move leadership to one that lacks it | -
    real-time-order MustHold: acks=1 needs the leader alone, and no planned fault moves leadership
    real-time-order MustHold: acks=all waits for every in-sync replica and only those are elected, so process and network faults lose nothing
    real-time-order MustHold: acks=all with min.insync.replicas of 2 or more confirms what at least two replicas have, and only those are elected
    end-offsets MayBreak: after a fault that moves leadership an old leader may still answer | -
    end-offsets MustHold: no planned fault moves leadership, and a leader knows its own end
    phantoms MustHold: no configuration allows records that nobody sent, or damaged ones
    phantoms MayBreak: Kafka trusts its disk after an orderly end, and a damaged replica that leads hands on what it reads | set check.crcs=true for consumers: they then stop at a damaged batch instead of taking it
    aborted-reads MustHold: readers of committed records are given what has certainly taken effect
    aborted-reads MayBreak: the only replica acknowledges what is in its page cache, which a planned power failure takes | -
    aborted-reads MayBreak: a planned fault can hold a request back, and the end of one transaction may then decide the next one of the same producer epoch | -
    aborted-reads MayBreak: the only replica has its disk taken from or damaged by a planned fault, synced or not | -
    aborted-reads MayBreak: an unclean election is asked for, which may choose a replica that lacks records once every in-sync one is out, as the other faults allow | -
    aborted-reads MayBreak: unclean election may choose a replica that lacks records once every in-sync one is out, as these faults allow | -
    aborted-reads NoGuarantee: with isolation.level=read_uncommitted readers are given what may yet be aborted
    aborted-reads MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, lose its power and be elected again | -
    aborted-reads MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, have its disk damaged and be elected again | -
    aborted-reads MayBreak: the planned power failures can hit replicas before the others are in sync again, and what is acknowledged is in memory only | -
    aborted-reads MayBreak: a planned fault damages a disk, and another can take out the replicas that have what is missing there | -
    aborted-reads MayBreak: Kafka trusts its disk after an orderly end, and a damaged replica may lead again: by itself (auto.leader.rebalance.enable), or because it is asked for | -
    transaction-isolation MayBreak: the only replica acknowledges what is in its page cache, which a planned power failure takes | -
    transaction-isolation MustHold: readers of committed records are given what has certainly taken effect
    transaction-isolation MayBreak: the only replica has its disk taken from or damaged by a planned fault, synced or not | -
    transaction-isolation MayBreak: an unclean election is asked for, which may choose a replica that lacks records once every in-sync one is out, as the other faults allow | -
    transaction-isolation MayBreak: unclean election may choose a replica that lacks records once every in-sync one is out, as these faults allow | -
    transaction-isolation NoGuarantee: with isolation.level=read_uncommitted readers are given what may yet be aborted
    transaction-isolation MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, lose its power and be elected again | -
    transaction-isolation MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, have its disk damaged and be elected again | -
    transaction-isolation MayBreak: the planned power failures can hit replicas before the others are in sync again, and what is acknowledged is in memory only | -
    transaction-isolation MayBreak: a planned fault damages a disk, and another can take out the replicas that have what is missing there | -
    transaction-isolation MayBreak: Kafka trusts its disk after an orderly end, and a damaged replica may lead again: by itself (auto.leader.rebalance.enable), or because it is asked for | -
    atomicity MayBreak: the only replica acknowledges what is in its page cache, which a planned power failure takes | -
    atomicity MustHold: a transaction's markers go to every partition it wrote to, or it is aborted in all
    atomicity MayBreak: a planned fault can hold a request back, and the end of one transaction may then decide the next one of the same producer epoch | -
    atomicity MayBreak: the only replica has its disk taken from or damaged by a planned fault, synced or not | -
    atomicity MayBreak: an unclean election is asked for, which may choose a replica that lacks records once every in-sync one is out, as the other faults allow | -
    atomicity MayBreak: unclean election may choose a replica that lacks records once every in-sync one is out, as these faults allow | -
    atomicity MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, lose its power and be elected again | -
    atomicity MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, have its disk damaged and be elected again | -
    atomicity MayBreak: the planned power failures can hit replicas before the others are in sync again, and what is acknowledged is in memory only | -
    atomicity MayBreak: a planned fault damages a disk, and another can take out the replicas that have what is missing there | -
    atomicity MayBreak: Kafka trusts its disk after an orderly end, and a damaged replica may lead again: by itself (auto.leader.rebalance.enable), or because it is asked for | -
    fencing MayBreak: the only replica acknowledges what is in its page cache, which a planned power failure takes | -
    fencing MustHold: a new session of a transactional id raises its epoch, and brokers refuse the older one
    fencing MayBreak: the only replica has its disk taken from or damaged by a planned fault, synced or not | -
    fencing MayBreak: an unclean election is asked for, which may choose a replica that lacks records once every in-sync one is out, as the other faults allow | -
    fencing MayBreak: unclean election may choose a replica that lacks records once every in-sync one is out, as these faults allow | -
    fencing MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, lose its power and be elected again | -
    fencing MayBreak: with min.insync.replicas=1 the last in-sync replica may acknowledge alone, have its disk damaged and be elected again | -
    fencing MayBreak: the planned power failures can hit replicas before the others are in sync again, and what is acknowledged is in memory only | -
    fencing MayBreak: a planned fault damages a disk, and another can take out the replicas that have what is missing there | -
    fencing MayBreak: Kafka trusts its disk after an orderly end, and a damaged replica may lead again: by itself (auto.leader.rebalance.enable), or because it is asked for | -
    strict-serializability NoGuarantee: Kafka's polls are no snapshots, and the writes of its transactions are not isolated
    strict-serializability MustHold: strict-serializable=true says that the target promises it
    effect-loss NoGuarantee: nobody says how often a record takes effect
    effect-loss MustHold: effects=exactly-once says that each record takes effect once and only once
    effect-loss MustHold: effects=at-least-once says that each record takes effect, and may do so again
    effect-loss MayBreak: effects=at-most-once says that each record takes effect once or never | commit offsets after the effect, not before it: a record is then tried again after a crash
    effect-duplicates NoGuarantee: nobody says how often a record takes effect
    effect-duplicates MustHold: effects=exactly-once says that each record takes effect once and only once
    effect-duplicates MayBreak: effects=at-least-once says that each record takes effect, and may do so again | make the effect idempotent (a unique key in the sink), or keep the offsets in the sink's own transaction
    effect-duplicates MustHold: effects=at-most-once says that each record takes effect once or never
    availability MustHold: once every fault is healed, every partition must be writable and readable again
    availability MayBreak: a damaged replica may lead, and what is damaged there may not be read, nor what lies behind it | -
    ");
}
