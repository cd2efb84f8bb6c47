//! What touches the outside: real clients, the applications under test, child processes, the link proxy and
//! the reference cluster.

pub mod actors;
pub mod causes;
pub mod front;
pub mod hosts;
pub mod kafka;
pub mod lab;
mod log;
pub mod nodes;
pub mod process;
pub mod proxy;
pub mod reference;
pub mod secure;
pub mod survey;
pub mod view;
