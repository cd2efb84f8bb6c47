//! Seeded random schedules with groups: members that join, share and commit while coordinators are killed, cut
//! off and delayed. Whatever happens: an acknowledged commit is never behind what is fetched in the end, a
//! generation has one division of the work, and everybody can go on once all is healed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Client, World, offsets_key, world};
use crate::core::tests::schedules::Chance;
use crate::core::{GroupAnswer, RequestId};
use crate::flaws::Flaw;
use crate::simulation::{CONTROLLER, Cut};

/// Kept small for every run of the tests; by hand, `HIGHWATER_SCHEDULES=5000` tries more.
const SEEDS: u64 = 60;
const MEMBERS: usize = 3;
const PROTOCOLS: &[(&str, &str)] = &[("range", "m")];

/// Where a member stands.
enum Phase {
    Outside,
    Joining(RequestId),
    Syncing(RequestId),
    Inside,
}

struct Member {
    client: Client,
    phase: Phase,
    since_ms: u64,
}

/// Commits rising offsets, one at a time, as a consumer without a group's management does.
struct Committer {
    partition: i32,
    next: i64,
    asked: Vec<(RequestId, i64)>,
    since_ms: u64,
    acked: i64,
}

struct Schedule {
    world: World,
    chance: Chance,
    members: Vec<Member>,
    /// In another group would be more natural; another partition of the same topic does as well.
    committers: Vec<Committer>,
    divisions: u64,
    /// Which division a generation has.
    generations: BTreeMap<i32, u64>,
    shares: BTreeMap<(i32, String), BTreeSet<String>>,
    commits: u64,
    syncs: u64,
}

impl Schedule {
    fn new(seed: u64, flaw: Option<Flaw>) -> Self {
        let member = |_| Member { client: Client::new(), phase: Phase::Outside, since_ms: 0 };
        let world = world(3, flaw, &[("min.insync.replicas", "2")]);
        Self {
            world,
            chance: Chance(seed),
            members: (0..MEMBERS).map(member).collect(),
            committers: Vec::new(),
            divisions: 0,
            generations: BTreeMap::new(),
            shares: BTreeMap::new(),
            commits: 0,
            syncs: 0,
        }
    }

    /// Whoever leads the partition as far as it knows, the right one or not.
    fn target(&mut self) -> Option<i32> {
        let up: Vec<i32> = self.world.nodes().into_iter().filter(|node| self.world.is_up(*node)).collect();
        let leads = |node: &i32| self.world.broker(*node).offsets(offsets_key(), -1).is_ok();
        let leading: Vec<i32> = up.iter().copied().filter(leads).collect();
        self.chance.of(if leading.is_empty() { &up } else { &leading })
    }

    fn member(&mut self, at: usize) -> Result<(), String> {
        let Some(node) = self.target() else { return Ok(()) };
        let now = self.world.now;
        let Member { client, phase, since_ms } = &mut self.members[at];
        let late = now > *since_ms + 3_000;
        let again = |error: i16, client: &mut Client| {
            if [25, 82, 22].contains(&error) {
                // Gone from the group, or of another generation.
                client.member = if error == 22 { client.member.clone() } else { String::new() };
            }
            Phase::Outside
        };
        match phase {
            Phase::Outside => {
                *since_ms = now;
                let id = self.world.join_at(node, client, PROTOCOLS);
                *phase = Phase::Joining(id);
            }
            Phase::Joining(id) => match self.world.joined(*id) {
                Some(response) if response.error_code == 79 => {
                    client.member = response.member_id.to_string();
                    *phase = Phase::Outside;
                }
                Some(response) if response.error_code != 0 => *phase = again(response.error_code, client),
                Some(response) => {
                    client.member = response.member_id.to_string();
                    client.generation = response.generation_id;
                    let leads = response.leader == response.member_id;
                    let mut shares = Vec::new();
                    if leads {
                        self.divisions += 1;
                        let of = |member: String| (member.clone(), format!("{}:{member}", self.divisions));
                        shares = response.members.iter().map(|one| of(one.member_id.to_string())).collect();
                    }
                    let id = self.world.sync_at(node, client, &shares);
                    *phase = Phase::Syncing(id);
                    *since_ms = now;
                }
                None if late => *phase = Phase::Outside,
                None => {}
            },
            Phase::Syncing(id) => match self.world.synced(*id) {
                Some(response) if response.error_code != 0 => *phase = again(response.error_code, client),
                Some(response) => {
                    let share = String::from_utf8(response.assignment.to_vec()).expect("text");
                    *phase = Phase::Inside;
                    *since_ms = now;
                    self.syncs += 1;
                    let (generation, member) = (client.generation, client.member.clone());
                    return self.owns(generation, &member, &share);
                }
                None if late => *phase = Phase::Outside,
                None => {}
            },
            Phase::Inside => {
                let client = client.clone();
                let error = self.world.heartbeat_at(node, &client);
                let Member { client, phase, .. } = &mut self.members[at];
                if ![0, 14, 16].contains(&error) {
                    *phase = again(error, client);
                } else if self.chance.below(40) == 0 {
                    *phase = Phase::Outside;
                }
            }
        }
        Ok(())
    }

    /// A member was given a share: the only division of this generation, and nobody else's share.
    fn owns(&mut self, generation: i32, member: &str, share: &str) -> Result<(), String> {
        let Some((division, owner)) = share.split_once(':') else {
            return Err(format!("{member} was given `{share}` in generation {generation}"));
        };
        if owner != member {
            return Err(format!("{member} was given {owner}'s share in generation {generation}"));
        }
        let division: u64 = division.parse().expect("a number");
        let known = *self.generations.entry(generation).or_insert(division);
        if known != division {
            return Err(format!("generation {generation} has two divisions, {known} and {division}"));
        }
        self.shares.entry((generation, member.to_owned())).or_default().insert(share.to_owned());
        Ok(())
    }

    fn commit(&mut self) {
        let Some(node) = self.target() else { return };
        let now = self.world.now;
        for committer in &mut self.committers {
            let answered = |id: &RequestId| self.world.answers.contains_key(id);
            let open = committer.asked.last().is_some_and(|(id, _)| !answered(id));
            if open && now < committer.since_ms + 800 {
                continue;
            }
            let nobody = Client::new();
            let ask = World::commit_request(&nobody, committer.partition, committer.next);
            let id = self.world.ask_in("simple", node, 8, ask);
            committer.asked.push((id, committer.next));
            committer.next += 1;
            committer.since_ms = now;
        }
        self.hear();
    }

    fn hear(&mut self) {
        for committer in &mut self.committers {
            for (id, offset) in &committer.asked {
                if let Some(GroupAnswer::Commit(response)) = self.world.answers.get(id)
                    && response.topics[0].partitions[0].error_code == 0
                {
                    if committer.acked < *offset {
                        self.commits += 1;
                    }
                    committer.acked = committer.acked.max(*offset);
                }
            }
        }
    }

    fn step(&mut self) -> Result<(), String> {
        let all = self.world.nodes();
        let up: Vec<i32> = all.iter().copied().filter(|node| self.world.is_up(*node)).collect();
        match self.chance.below(1000) {
            0..250 => {
                for _ in 0..=self.chance.below(12) {
                    let open = self.world.open_channels();
                    if let Some(channel) = self.chance.of(&open) {
                        self.world.deliver(channel);
                    }
                }
            }
            250..400 => {
                self.world.now += self.chance.next() % 60;
                self.world.tick();
            }
            400..650 => {
                let at = self.chance.below(MEMBERS);
                return self.member(at);
            }
            650..800 => self.commit(),
            800..880 => {
                let ms = self.chance.next() % 400;
                self.world.run(ms);
            }
            880..890 => self.world.run(2_000),
            890..900 => {
                if let Some(node) = self.chance.of(&up) {
                    self.world.kill(node);
                }
            }
            900..930 => {
                let down: Vec<i32> = all.iter().copied().filter(|node| !up.contains(node)).collect();
                if let Some(node) = self.chance.of(&down) {
                    self.world.start(node);
                }
            }
            930..945 => {
                let manner = if self.chance.below(2) == 0 { Cut::Held } else { Cut::Reset };
                let ends: Vec<i32> = all.iter().copied().chain([CONTROLLER]).collect();
                let (Some(a), Some(b)) = (self.chance.of(&all), self.chance.of(&ends)) else {
                    return Ok(());
                };
                if self.chance.below(3) == 0 {
                    self.world.isolate(a, manner);
                } else if a != b {
                    self.world.cut(a, b, manner);
                }
            }
            945..970 => self.world.heal(),
            970..980 => {
                if let Some(node) = self.chance.of(&up) {
                    self.world.checkpoint(node);
                }
            }
            _ => {
                let outstanding: Vec<_> = self.world.outstanding.iter().copied().collect();
                if let Some(fetch) = self.chance.of(&outstanding) {
                    self.world.fail_fetch(fetch);
                }
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(u64, u64), String> {
        self.world.heal();
        let down: Vec<i32> = self.world.nodes().into_iter().filter(|node| !self.world.is_up(*node)).collect();
        down.into_iter().for_each(|node| self.world.start(node));
        // Long enough for what has just started to be let in.
        self.world.run(4_000);
        if !self.world.run_until(6_000, |world| world.agree(offsets_key())) {
            return Err("the replicas do not agree again".to_owned());
        }
        self.world.run(500);
        self.hear();
        for committer in &self.committers {
            let ask = World::fetch_request(committer.partition, false);
            let node = self.world.coordinator();
            let id = self.world.ask_in("simple", node, 8, ask);
            match self.world.positioned(id) {
                Some(Ok(offset)) if (committer.acked..committer.next).contains(&offset) => {}
                other => {
                    let acked = committer.acked;
                    return Err(format!("{other:?} is fetched, and {acked} was acknowledged"));
                }
            }
        }
        for _ in 0..600 {
            self.world.run(40);
            for at in 0..MEMBERS {
                self.member(at)?;
            }
            if self.members.iter().all(|member| matches!(member.phase, Phase::Inside)) {
                return Ok((self.commits, self.syncs));
            }
        }
        Err("the members do not come together again".to_owned())
    }
}

fn run(seed: u64, flaw: Option<Flaw>) -> Result<(u64, u64), String> {
    let mut schedule = Schedule::new(seed, flaw);
    let committer = |partition| Committer { partition, next: 0, asked: Vec::new(), since_ms: 0, acked: -1 };
    schedule.committers = (0..2).map(committer).collect();
    for _ in 0..500 {
        schedule.step()?;
    }
    schedule.finish()
}

#[test]
fn no_acknowledged_commit_is_lost_and_no_generation_is_divided_twice() {
    let seeds = std::env::var("HIGHWATER_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let (mut commits, mut syncs) = (0, 0);
    for seed in 0..seeds {
        match run(seed, None) {
            Ok((some, more)) => (commits, syncs) = (commits + some, syncs + more),
            Err(what) => panic!("seed {seed}: {what}"),
        }
    }
    assert!(commits > 5 * seeds && syncs > 3 * seeds, "there was room for work: {commits}, {syncs}");
}

/// The schedules have teeth.
#[test]
fn flaws_of_the_coordinator_are_caught() {
    for flaw in [Flaw::CommitAcknowledgedAndForgotten, Flaw::TwoOwners] {
        assert!((0..SEEDS).any(|seed| run(seed, Some(flaw)).is_err()), "{flaw:?}");
    }
}
