//! `spec.wal`.

use super::problems::Checker;
use super::stream::ValidatedWal;
use crate::v1alpha1::Wal;

pub(super) fn check(checker: &mut Checker, wal: &Wal) -> Option<ValidatedWal> {
    let capacity_bytes = checker.size("spec.wal.capacity", &wal.capacity, 256 << 20..=1 << 40)?;
    Some(ValidatedWal {
        ack: wal.ack,
        capacity_bytes,
    })
}
