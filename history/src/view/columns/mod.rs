//! The columns under a session's rows.

mod blocks;
mod deliveries;
mod operations;
mod pack;
mod sends;
#[cfg(test)]
mod tests;
mod values;

pub use deliveries::Deliveries;
pub(crate) use deliveries::DeliveryColumn;
pub(super) use operations::OperationColumn;
pub(crate) use sends::SendColumn;
pub use sends::Sends;
pub(super) use values::ValueColumn;
