//! Why a history of generic operations is not linearizable: the operations that prove it, the longest legal
//! beginning, and what has no place behind it, as text and as a picture of time.

mod replay;
mod text;
mod timeline;

pub use text::render_operations;
pub use timeline::render_timeline;
