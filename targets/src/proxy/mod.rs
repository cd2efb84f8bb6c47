//! The link proxy: every connection of the reference cluster runs through it, so that links can be cut and
//! healed without root.
//!
//! A link has a listener whose port never changes and a backend whose port may. While a link is held not a
//! byte passes, nor an end or a reset of a connection: the peer learns on healing, as over a silent network.
//! While it is reset every connection is answered with RST. An impaired link holds or swallows one direction,
//! is late, or is narrow; one thing at a time is wrong with a link.

mod connection;
mod gate;
mod line;
mod link;
mod listener;
mod pump;
mod runtime;
#[cfg(test)]
mod tests;

pub use runtime::{LinkProxy, ProxyError};
