//! The randomness seam: shard ids, salts, incarnations and back-off jitter all come from here, so
//! that a simulation with the same seed makes the same run.

use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::{StdRng, SysRng};
use rand::{Rng as _, RngExt as _, SeedableRng as _};

/// A source of randomness that many may hold.
#[derive(Clone, Debug)]
pub struct Entropy(Arc<Mutex<StdRng>>);

impl Entropy {
    /// Seeds itself from the operating system.
    pub fn from_system() -> Result<Self, rand::rngs::SysError> {
        Ok(Self(Arc::new(Mutex::new(StdRng::try_from_rng(
            &mut SysRng,
        )?))))
    }

    /// The same seed gives the same numbers.
    pub fn from_seed(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    pub fn bytes16(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.0.lock().fill_bytes(&mut bytes);
        bytes
    }

    pub fn next_u32(&self) -> u32 {
        self.0.lock().next_u32()
    }

    pub fn next_u64(&self) -> u64 {
        self.0.lock().next_u64()
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            self.0.lock().random_range(0..bound)
        }
    }
}
