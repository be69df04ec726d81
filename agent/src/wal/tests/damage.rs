//! Bit flips in every part of a log.
