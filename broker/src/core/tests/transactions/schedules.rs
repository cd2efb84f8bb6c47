//! Seeded random schedules with transactions: kills, restarts, cuts, delays and overtaking. Whatever happens, a
//! transaction is in both of its partitions or in neither for a consumer under read_committed, one that was
//! confirmed is there and one that was aborted is not, and in the end nothing is open.

use std::collections::BTreeSet;

use super::super::schedules::Chance;
use super::*;
use crate::simulation::{CONTROLLER, Cut};

/// Kept small for every run of the tests; by hand, `HIGHWATER_SCHEDULES=20000` tries more.
const SEEDS: u64 = 60;
const IDS: [&str; 3] = ["app-a", "app-b", "app-c"];
const TIMEOUT_MS: i32 = 3_000;

/// What a client waits for.
enum Waits {
    Init,
    Add,
    /// The records of both partitions: answered or not.
    Records([Option<Result<i64, Refusal>>; 2]),
    End(bool),
}

/// A client of one transactional id, that begins again whenever something goes wrong.
struct Client {
    id: &'static str,
    /// Each new client under the id.
    generation: u32,
    producer: Option<ProducerEpoch>,
    sequences: [i32; 2],
    transaction: u32,
    waits: Option<(Vec<RequestId>, u64, Waits)>,
    asked: Option<Waits>,
}

impl Client {
    /// Goes on behind what was taken.
    fn count(&mut self, results: &[Option<Result<i64, Refusal>>; 2]) {
        for (sequence, result) in self.sequences.iter_mut().zip(results) {
            *sequence += i32::from(matches!(result, Some(Ok(_))));
        }
    }
}

struct Schedule {
    world: World,
    chance: Chance,
    clients: Vec<Client>,
    confirmed: BTreeSet<String>,
    aborted: BTreeSet<String>,
    fresh: i64,
    manner: TxnManner,
}

impl Schedule {
    fn new(seed: u64, flaw: Option<Flaw>, version: &str) -> Self {
        let client = |id: &&'static str| Client {
            id,
            generation: 0,
            producer: None,
            sequences: [0; 2],
            transaction: 0,
            waits: None,
            asked: None,
        };
        Self {
            world: world(flaw, &[("transaction.version", version)]),
            chance: Chance(seed),
            clients: IDS.iter().map(client).collect(),
            confirmed: BTreeSet::new(),
            aborted: BTreeSet::new(),
            fresh: 1_000,
            manner: if version == "2" { TxnManner::Implicit } else { TxnManner::Plain },
        }
    }

    fn up(&self) -> Vec<i32> {
        self.world.nodes().into_iter().filter(|node| self.world.is_up(*node)).collect()
    }

    /// One move of one client: it hears, or says the next thing.
    fn turn(&mut self, at: usize) {
        if self.clients[at].waits.is_some() {
            self.hear(at);
        } else {
            self.say(at);
        }
    }

    fn say(&mut self, at: usize) {
        let now = self.world.now;
        let client = &mut self.clients[at];
        let bump = self.manner == TxnManner::Implicit;
        let coordinator = self.world.txn_coordinator(client.id);
        if coordinator < 0 || !self.world.is_up(coordinator) {
            return;
        }
        let Some(producer) = client.producer else {
            self.fresh += 1;
            let ask = TxnAsk::Init { timeout_ms: TIMEOUT_MS, expected: None, fresh: Some(self.fresh) };
            let id = self.world.send_transaction(coordinator, client.id, ask);
            client.waits = Some((vec![id], now, Waits::Init));
            return;
        };
        let add = || {
            let places = vec![place(0), place(1)];
            TxnAsk::Add { producer, places, verify_only: false }
        };
        match client.asked.take() {
            None if !bump => {
                let id = self.world.send_transaction(coordinator, client.id, add());
                client.waits = Some((vec![id], now, Waits::Add));
            }
            None | Some(Waits::Add) => {
                let name = format!("~{}.{}.{}", client.id, client.generation, client.transaction);
                let mut sent = Vec::new();
                for partition in [0, 1] {
                    let leader = self.world.partition(key(partition)).leader;
                    let sequence = client.sequences[partition as usize];
                    let batch = batch(&name, 1, Some((producer.0, producer.1, sequence)));
                    let to = if leader < 0 { 1 } else { leader };
                    sent.push(self.world.send_in_txn(to, key(partition), (client.id, self.manner), batch));
                }
                client.waits = Some((sent, now, Waits::Records([None, None])));
            }
            Some(Waits::Records(results)) => {
                let committed = results.iter().all(|result| matches!(result, Some(Ok(_))));
                let committed = committed && self.chance.below(3) > 0;
                let ask = TxnAsk::End { producer, committed, bump, fresh: None };
                let id = self.world.send_transaction(coordinator, client.id, ask);
                client.waits = Some((vec![id], now, Waits::End(committed)));
            }
            Some(Waits::Init | Waits::End(_)) => {}
        }
    }

    fn hear(&mut self, at: usize) {
        let client = &mut self.clients[at];
        let Some((ids, since, waits)) = client.waits.take() else { return };
        // Some clients lose patience, and a new one takes the id over.
        let late = self.world.now > since + 4_000;
        let name = format!("~{}.{}.{}", client.id, client.generation, client.transaction);
        let begin_again = |client: &mut Client| {
            client.generation += 1;
            client.producer = None;
            client.sequences = [0; 2];
            client.transaction = 0;
            client.asked = None;
        };
        if let Waits::Records(_) = waits {
            let results = [self.world.reply(ids[0]), self.world.reply(ids[1])];
            if late {
                // Its abort is sent, its records may still be on their way.
                client.asked = Some(Waits::Records([Some(Err(Refusal::RequestTimedOut)), None]));
                client.count(&results);
            } else if results.iter().all(Option::is_some) {
                client.count(&results);
                client.asked = Some(Waits::Records(results));
            } else {
                client.waits = Some((ids, since, waits));
            }
            return;
        }
        let Some(answer) = self.world.txn_answers.get(&ids[0]).cloned() else {
            if late {
                begin_again(client);
            } else {
                client.waits = Some((ids, since, waits));
            }
            return;
        };
        match (waits, answer) {
            (Waits::Init, TxnAnswer::Producer(Ok(producer))) => {
                begin_again(client);
                client.producer = Some(producer);
            }
            // Asked again until it is heard.
            (Waits::Init, _) => {}
            (Waits::Add, TxnAnswer::Places(results)) if results.iter().all(Option::is_none) => {
                client.asked = Some(Waits::Add);
            }
            (Waits::Add, TxnAnswer::Places(results))
                if results.iter().all(|one| *one == Some(Refusal::ConcurrentTransactions)) => {}
            (Waits::End(committed), TxnAnswer::Producer(Ok(producer))) => {
                if committed {
                    self.confirmed.insert(name);
                } else {
                    self.aborted.insert(name);
                }
                if self.manner == TxnManner::Implicit {
                    client.sequences = [0; 2];
                } else if !committed {
                    // A client does not go on under an epoch whose sequence numbers it has lost count of.
                    begin_again(client);
                    return;
                }
                client.producer = Some(producer);
                client.transaction += 1;
            }
            _ => begin_again(client),
        }
    }

    fn step(&mut self) {
        let up = self.up();
        let all = self.world.nodes();
        match self.chance.below(1000) {
            0..350 => {
                for _ in 0..=self.chance.below(12) {
                    let open = self.world.open_channels();
                    if let Some(channel) = self.chance.of(&open) {
                        self.world.deliver(channel);
                    }
                }
            }
            350..450 => {
                self.world.now += self.chance.next() % 60;
                self.world.tick();
            }
            450..750 => {
                let at = self.chance.below(IDS.len());
                self.turn(at);
            }
            750..860 => {
                let ms = self.chance.next() % 400;
                self.world.run(ms);
            }
            860..870 => {
                let ms = 1_500 + self.chance.next() % 1_000;
                self.world.run(ms);
            }
            870..880 => {
                if let Some(node) = self.chance.of(&up) {
                    self.world.kill(node);
                }
            }
            880..915 => {
                let down: Vec<i32> = all.iter().copied().filter(|node| !up.contains(node)).collect();
                if let Some(node) = self.chance.of(&down) {
                    self.world.start(node);
                }
            }
            915..935 => {
                let manner = if self.chance.below(2) == 0 { Cut::Held } else { Cut::Reset };
                let ends: Vec<i32> = all.iter().copied().chain([CONTROLLER]).collect();
                let (Some(a), Some(b)) = (self.chance.of(&all), self.chance.of(&ends)) else { return };
                if self.chance.below(3) == 0 {
                    self.world.isolate(a, manner);
                } else if a != b {
                    self.world.cut(a, b, manner);
                }
            }
            935..965 => self.world.heal(),
            965..980 => {
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
    }

    /// Heals everything, lets every transaction be ended or run out of time, and judges.
    fn finish(mut self) -> Result<usize, String> {
        self.world.heal();
        let up = self.up();
        let down: Vec<i32> = self.world.nodes().into_iter().filter(|node| !up.contains(node)).collect();
        down.into_iter().for_each(|node| self.world.start(node));
        self.world.run(6_000);
        (0..IDS.len()).for_each(|at| self.hear(at));
        let ended = |world: &World| {
            (0..2).all(|partition| world.agree(key(partition)) && is_stable(world, partition))
        };
        if !self.world.run_until(40_000, ended) {
            return Err(format!("something stays open: {}", self.describe()));
        }
        let seen: Vec<Vec<String>> =
            [0, 1].into_iter().map(|partition| committed(&mut self.world, partition).0).collect();
        let sets: Vec<BTreeSet<&String>> = seen.iter().map(|values| values.iter().collect()).collect();
        if seen.iter().zip(&sets).any(|(values, set)| values.len() != set.len()) {
            return Err(format!("a record is there twice: {}", self.describe()));
        }
        if let Some(torn) = sets[0].symmetric_difference(&sets[1]).next() {
            return Err(format!("`{torn}` is torn: {}", self.describe()));
        }
        if let Some(lost) = self.confirmed.iter().find(|name| !sets[0].contains(name)) {
            return Err(format!("`{lost}` was confirmed: {}", self.describe()));
        }
        if let Some(read) = self.aborted.iter().find(|name| sets[0].contains(name)) {
            return Err(format!("`{read}` was aborted: {}", self.describe()));
        }
        Ok(self.confirmed.len())
    }

    fn describe(&self) -> String {
        let partition = |partition| {
            let leader = self.world.partition(key(partition)).leader;
            let markers = self.world.markers(leader, key(partition));
            let state = self.world.partition(key(partition));
            format!("\n{state:?}\n{:?}\n{markers:?}", self.world.log(leader, key(partition)))
        };
        (0..2).map(partition).collect()
    }
}

fn run(seed: u64, flaw: Option<Flaw>, version: &str) -> Result<usize, String> {
    let mut schedule = Schedule::new(seed, flaw, version);
    for _ in 0..600 {
        schedule.step();
    }
    schedule.finish()
}

fn none_is_torn(version: &str) {
    let seeds = std::env::var("HIGHWATER_SCHEDULES").ok().and_then(|text| text.parse().ok()).unwrap_or(SEEDS);
    let mut confirmed = 0;
    for seed in 0..seeds {
        match run(seed, None, version) {
            Ok(count) => confirmed += count,
            Err(what) => panic!("seed {seed}: {what}"),
        }
    }
    assert!(confirmed as u64 > seeds, "the schedules leave room for work: {confirmed}");
}

#[test]
fn no_transaction_is_torn_lost_or_left_open_under_version_1() {
    none_is_torn("1");
}

#[test]
fn no_transaction_is_torn_lost_or_left_open_under_version_2() {
    none_is_torn("2");
}

/// The schedules have teeth.
#[test]
fn flaws_are_caught() {
    for flaw in [Flaw::PartialCommit, Flaw::OmitAborted] {
        assert!((0..SEEDS).any(|seed| run(seed, Some(flaw), "1").is_err()), "{flaw:?}");
    }
}
