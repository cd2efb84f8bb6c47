//! The reference broker: a small broker built for judgement, faithful to Kafka's documented semantics,
//! with faults and planted flaws as first-class citizens. `core` decides, `server` acts.

pub mod core;
pub mod flaws;
mod server;
pub mod simulation;

pub use core::settings;
pub use server::{Ending, Node, ServeError, serve, serve_stdin};
