//! What a user can rely on, tried on the built agent with real files, sockets, mounts and clients.
//!
//! One file a behaviour. `make test` builds what is needed; counts are raised by the environment
//! (`make prove`). Some tests mount: they need root and use a mount namespace of their own. A test
//! that can't have its tool fails.

#[cfg(test)]
mod kit;

#[cfg(test)]
mod bad_manifests_are_refused_with_their_place;
#[cfg(test)]
mod bad_requests_get_firehose_errors;
#[cfg(test)]
mod boto3_works_unchanged;
#[cfg(test)]
mod destination_faults_hold_and_heal;
#[cfg(test)]
mod ending_keeps_its_word;
#[cfg(test)]
mod kills_lose_nothing;
#[cfg(test)]
mod manifest_edits_take_effect;
#[cfg(test)]
mod slow_and_cut_connections_do_no_harm;
#[cfg(test)]
mod the_dependency_law_holds;
#[cfg(test)]
mod the_quickstart_works;
#[cfg(test)]
mod two_agents_share_a_directory;
#[cfg(test)]
mod unwritable_destination_is_corrected;
#[cfg(test)]
mod wal_directories_are_refused_for_a_reason;
#[cfg(test)]
mod wal_fills_and_recovers;
