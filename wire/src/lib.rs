//! What travels between a node and those who talk to it: Kafka frames, and the lines a node exchanges
//! with the process that started it. A leaf for `broker` and `targets` only.

pub mod administration;
pub mod batch;
mod codec;
pub mod coordinator;
pub mod frame;
pub mod front;
mod guard;
pub mod marker;
pub mod metadata;
pub mod node;
pub mod power;
pub mod records;
pub mod sasl;
pub mod schema;
