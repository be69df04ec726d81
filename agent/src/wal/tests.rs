//! The wal as a whole on the faulty file system: crashes at every operation (W-1 to W-16), failing
//! devices, damage, capacity.

mod crash;
mod damage;
mod faults;
mod scenario;
mod space;
