//! x
pub(super) fn check(_a: &crate::args::CheckArgs) -> super::Ending {
    super::Ending::Done
}
