//! The file-system destination.
