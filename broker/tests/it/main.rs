//! The broker from outside: real files, real sockets, raw Kafka frames.

mod admin;
mod client;
mod cluster;
mod groups;
mod hostile;
mod power;
mod replication;
mod restarts;
mod storage;
mod transactions;
mod wire_level;
