//! The lab: Apache Kafka on this machine, as breakable as a cluster of real hosts. A network namespace per
//! broker on a bridge inside one more, an `sshd` in each with mounts of its own, a disk image per broker; the
//! same SSH code that a real cluster uses starts and breaks it. Addresses exist inside these namespaces only.

mod build;
mod enter;
mod files;
mod jars;

pub use build::{HEAP_MB, LabError, LabOptions, Leftovers, Tell, down, leftovers, up};
pub use enter::Entered;
pub use files::{BACKEND, CLIENTS, Layout, SETTINGS};
pub use jars::{KAFKA_VERSION, Kafka, TOOLS, missing_tools};
