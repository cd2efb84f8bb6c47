//! What happened: the durable, ordered record of one run, and the vocabulary it is written in.
//!
//! Every other room speaks in these words (records, tags, operations, outcomes, faults, plans), and no
//! other room is needed to read a stored run back.

pub mod clock;
pub mod event;
pub mod exchange;
pub mod fault;
pub mod host_clock;
pub mod ids;
pub mod load;
pub mod outcome;
pub mod plan;
pub mod record;
pub mod segment;
pub mod store;
pub mod view;

pub use event::{Contents, EndedOperation, Event, Note};
pub use event::{Phase, Role};
pub use fault::{Application, FaultClass, FaultTarget, Manner, PlannedFault};
pub use host_clock::{ClockReading, HOST_CLOCK_VERSION, HostClock};
pub use ids::{FENCE_PRODUCER, Nanos, NodeId, Offset, Partition, RunHash, Tag};
pub use load::{LoadError, load};
pub use outcome::{ErrorCode, Outcome, Told};
pub use plan::{Cell, Load, Plan, Profile, Scope, TargetKind};
pub use segment::{RecordError, Recorder};
pub use store::store;
pub use view::{
    Builder, Damage, Delivery, Detail, Ended, Function, History, ImportFormat, Imported, Operation, Run,
    Send, Session, SessionId, Step, Value,
};
