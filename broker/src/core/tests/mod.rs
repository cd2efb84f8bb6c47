//! The core alone: cores and a controller in one in-memory world, no sockets, no clock, no files.

mod acks;
mod compaction;
mod elr;
mod groups;
mod registration;
mod replication;
mod sans_io;
mod schedules;
mod transactions;
mod truncation;
