//! Supervision of child processes: actors and the nodes of the reference cluster.
//!
//! Every child is spawned by one long-lived thread (`PR_SET_PDEATHSIG` follows the spawning *thread*),
//! sits in its own process group, so that Ctrl-C in a terminal reaches the runner alone, and reads a stdin
//! that nobody but this process holds: end of file means the runner is gone. Between them these let no
//! child outlive the runner, however that dies and whether or not the child is stopped.

mod child;
mod guard;
mod output;
mod spec;
mod state;
mod stdin;
mod supervisor;

pub use child::Child;
pub use guard::{GuardError, die_with_parent};
pub use output::{ChildLine, ChildOutput};
pub use spec::{ChildSpec, SignalError, SpawnError, this_program};
pub use state::describe;
pub use supervisor::Supervisor;
