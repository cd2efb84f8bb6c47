//! Kafka through librdkafka: the tables of settings and errors, and the clients.

pub mod admin;
pub mod aliases;
mod changes;
mod combinations;
mod context;
pub mod member;
pub mod names;
pub mod outcomes;
pub mod producer;
pub mod properties;
pub mod reader;
mod statistics;
