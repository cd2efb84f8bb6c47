//! The lab: Apache Kafka on this machine, as breakable as a cluster of real hosts. A network namespace per
//! broker on a bridge inside one more, an `sshd` in each with mounts of its own, a disk image per broker; the
//! same SSH code that a real cluster uses starts and breaks it. Addresses exist inside these namespaces only.

mod build;
mod files;
mod jars;

pub use build::{LabError, LabOptions, Leftovers, down, leftovers, up};
pub use files::{CLIENTS, Layout};
pub use jars::{KAFKA_VERSION, Kafka, TOOLS, missing_tools};
