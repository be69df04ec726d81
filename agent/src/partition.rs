//! (written in this issue)
