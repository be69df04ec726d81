//! Kit of the black-box tests.
