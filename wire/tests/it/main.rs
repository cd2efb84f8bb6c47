//! What the codec does with honest, truncated and mutated bytes.

mod batches;
mod frames;
mod more;
mod power;
mod records;
mod transactions;
