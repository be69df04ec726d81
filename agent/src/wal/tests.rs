//! The wal as a whole on the faulty file system: crashes at every operation (W-1 to W-16), failing
//! devices, damage, capacity.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "the dice of a test are small"
)]

mod crash;
mod damage;
mod faults;
mod scenario;
mod space;
