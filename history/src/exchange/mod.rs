//! Other people's histories: formats that come in and go out.

pub mod operations;
