//! The catalog: a folder or file and one `mod` line add a checker.

mod availability;
mod duplicates;
mod effects;
mod exercise;
mod groups;
mod log_linearizability;
mod loss;
mod offsets;
mod order;
mod phantoms;
mod transactions;
mod visibility;

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));
