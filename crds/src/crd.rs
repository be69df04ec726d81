//! The custom resource definition.
