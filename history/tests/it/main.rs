//! What a user of a recorded history would notice: it comes back as it was recorded, whatever became of
//! its writer, and nothing that is not whole passes for whole.

mod crash;
mod damage;
mod disk;
mod exchange;
mod roundtrip;
mod sample;
mod torn;
mod view;
