//! Everything of the reference broker that touches sockets, files and the process: the core decides, this
//! acts. One thread a node: every event is one step of the core, whose outputs are carried out before the
//! next, so what is acknowledged has been written.

mod apis;
mod broker;
mod clean;
mod clock;
mod connection;
mod controller;
mod engine;
mod errands;
mod error;
mod janitor;
mod limits;
mod lines;
mod metadata;
mod node;
mod orders;
mod peers;
mod process;
mod report;
mod storage;
mod uplink;

pub use error::ServeError;
pub use node::{Ending, Node};
pub use process::{serve, serve_stdin};
