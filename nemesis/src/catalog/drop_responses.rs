//! `drop-responses`: what clients ask of a leader arrives and is done; its answers are lost.

use history::FaultClass;

use super::isolate_clients::aim;
use crate::impairment::{Direction, Impairment};
use crate::shape::Impairs;
use crate::spec::Spec;

pub(crate) static SPEC: Spec = Spec {
    name: "drop-responses",
    summary: "a leader's answers to its clients are thrown away; requests arrive",
    docs: "\
Requests of clients reach the leader of a partition, its answers to them are thrown away, and on healing the \
connections that lost one are reset. Whoever is not answered asks again: a producer without idempotence writes \
twice, and with it, brokers must know the second for what it is. Nothing acknowledged may be lost. Only where the \
clients' links run through the proxy: not on a cluster that is kept up. It has bitten when answers were thrown \
away and a client sent again.",
    class: FaultClass::DropResponses,
    duration_ms: |_| 3000,
    nemesis: &Impairs { aim, how: |_, _, _| Impairment::Swallow(Direction::Answers) },
};
