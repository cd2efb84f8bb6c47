//! Integration tests of the whole: rules of the repository, the command line, runs from end to end.

mod administration;
mod apache;
mod applications;
mod catalogs;
mod cli;
mod clients;
mod cluster;
mod differential;
mod disks;
mod edges;
mod effects;
mod exchange;
mod explain;
mod groups;
mod hosts;
mod kafka;
mod lifetime;
mod links;
mod nemesis;
mod operations;
mod runs;
mod stage;
mod store;
mod tidy;
