//! How much log there may be (W-7, W-14): records use `capacity`, control frames two segments more.

use super::writer::SPARES;

/// Set aside for the DONE of each sealed batch, in bytes.
const DONE_BYTES: u64 = 256;

/// Segments are capacity ÷ 32, a power of two, 16–64 MiB (W-14).
pub(crate) fn segment_bytes(capacity: u64) -> u64 {
    const MIB: u64 = 1024 * 1024;
    let wanted = (capacity / 32).max(1);
    let power = 1_u64 << wanted.ilog2();
    power.clamp(16 * MIB, 64 * MIB)
}

/// The limits of one wal. The size of a segment is fixed for the shard's life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    bytes: u64,
    segment_bytes: u64,
}

impl Capacity {
    pub(crate) fn new(bytes: u64, segment_bytes: u64) -> Self {
        Self {
            bytes,
            segment_bytes,
        }
    }

    pub(crate) fn set(&mut self, bytes: u64) {
        self.bytes = bytes;
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// Segments that records may use.
    pub(crate) fn segments(&self) -> u64 {
        (self.bytes / self.segment_bytes).max(1)
    }

    /// Whether records may begin another segment beside `held` ones.
    pub(crate) fn another_for_records(&self, held: u64) -> bool {
        held < self.segments()
    }

    /// Whether control frames may.
    pub(crate) fn another_for_control(&self, held: u64) -> bool {
        held < self.segments() + SPARES as u64
    }

    /// Whether less than half of the reserve is left, `used` bytes of log being used.
    pub(crate) fn reserve_is_low(&self, used: u64, sealed_batches: u64) -> bool {
        let reserve = SPARES as u64 * self.segment_bytes;
        let limit = self.segments() * self.segment_bytes + reserve / 2;
        used.saturating_add(sealed_batches.saturating_mul(DONE_BYTES)) > limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn a_segment_is_a_thirty_second_of_the_capacity_within_bounds() {
        for (capacity, segment) in [
            (256, 16),
            (512, 16),
            (1024, 32),
            (1100, 32),
            (2048, 64),
            (100_000, 64),
        ] {
            assert_eq!(
                segment_bytes(capacity * MIB),
                segment * MIB,
                "capacity {capacity} MiB"
            );
        }
    }

    #[test]
    fn records_leave_the_reserve_to_control_frames() {
        let capacity = Capacity::new(256 * MIB, 16 * MIB);
        assert!(capacity.another_for_records(15) && !capacity.another_for_records(16));
        assert!(capacity.another_for_control(17) && !capacity.another_for_control(18));
        assert!(!capacity.reserve_is_low(256 * MIB, 100));
        assert!(capacity.reserve_is_low(272 * MIB + 1, 0));
        assert!(capacity.reserve_is_low(272 * MIB - 255, 1));
    }
}
