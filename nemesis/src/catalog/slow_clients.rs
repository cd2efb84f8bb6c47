//! `slow-clients`: bytes between clients and a leader come late.

use history::FaultClass;

use super::isolate_clients::aim;
use super::slow_links::late;
use crate::shape::Impairs;
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "slow-clients",
    summary: "100 to 250 ms of delay between clients and a leader; brokers are whole",
    docs: "\
Everything that clients and the leader of a partition send each other comes 100 to 250 ms late, in order, the delay \
of each chunk drawn from the seed: a client in another region. Requests that were given up may arrive later all the \
same. Nothing acknowledged may be lost. Only where the clients' links run through a proxy: not on a cluster that is \
kept up. It has bitten when bytes were late.",
    class: FaultClass::SlowClients,
    duration_ms: |_| 2500,
    nemesis: &Impairs { aim, how: late },
};
