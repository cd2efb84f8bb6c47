//! What touches the outside: real clients, the applications under test, child processes, the link proxy and
//! the reference cluster.

pub mod actors;
pub mod causes;
pub mod kafka;
mod log;
pub mod nodes;
pub mod process;
pub mod proxy;
pub mod reference;
