//! One look at a cluster from a child process of this program: who is there, what they speak, how they are
//! set, and what we may do. A child, because the process that conducts holds no Kafka client, and because the
//! cluster may be reachable from a network namespace only.

mod act;
mod order;
mod versions;

pub use act::run_stdin;
pub use order::{BrokerReport, Order, Report, Step, SurveyError, Way, survey};
