use parking_lot::Mutex;

use super::*;
use crate::app::observer::Source;
use crate::clock::ManualClock;
use crate::metrics::Metrics;
use crate::record::UnixMillis;
use crate::reload::load;
use crate::reload::tests::MANIFEST;
use crate::report::Identity;
use crate::report::observed::{Observed, tests::example};
use crate::supervise::Health;

/// Rooms that keep what they took, and refuse a stream that is to be paused.
#[derive(Clone, Debug, Default)]
struct Rooms(Arc<Mutex<Vec<ValidatedStream>>>);

impl Apply for Rooms {
    async fn apply(&mut self, loaded: &Loaded) -> Result<(), Vec<Fault>> {
        if loaded.stream.desired_state == crds::validate::DesiredState::Paused {
            return Err(vec![Fault {
                field: Some("spec.desiredState".into()),
                message: "no".into(),
            }]);
        }
        self.0.lock().push(loaded.stream.clone());
        Ok(())
    }
}

impl Source for Rooms {
    fn observe(&self) -> Observed {
        example()
    }
}

fn taker() -> (Taker<Rooms>, Rooms, Arc<Observer>) {
    let rooms = Rooms::default();
    let identity = Identity {
        namespace: "n".into(),
        name: "s".into(),
        stream_name: "s".into(),
    };
    let observer = Observer::new(identity, Health::default(), Metrics::new("s").unwrap());
    observer.opened(Box::new(rooms.clone()));
    let observer = Arc::new(observer);
    let clock = Arc::new(ManualClock::new(UnixMillis(5)));
    let in_force = load(MANIFEST).unwrap().stream;
    (
        Taker::new(in_force, rooms.clone(), Arc::clone(&observer), clock),
        rooms,
        observer,
    )
}

fn reasons(observer: &Observer) -> Vec<String> {
    let seen = observer.observe().unwrap();
    seen.spec_problems
        .into_iter()
        .map(|problem| problem.reason)
        .collect()
}

#[tokio::test]
async fn a_good_manifest_reaches_the_rooms_and_ends_all_complaints() {
    let (mut taker, rooms, observer) = taker();
    taker.take(Ok("{")).await;
    assert_eq!(reasons(&observer), ["SpecInvalid"]);
    let edited = MANIFEST.replace("/out", "/elsewhere");
    taker.take(Ok(&edited)).await;
    assert_eq!(reasons(&observer), Vec::<String>::new());
    assert_eq!(*rooms.0.lock(), [load(&edited).unwrap().stream]);
}

#[tokio::test]
async fn a_manifest_that_is_not_taken_reaches_no_room() {
    let (mut taker, rooms, observer) = taker();
    for (content, reason) in [
        (Err("gone"), "ManifestUnreadable"),
        (Ok("{"), "SpecInvalid"),
        (
            Ok(&*MANIFEST.replace("port: 8080", "port: 8090")),
            "SpecRefused",
        ),
    ] {
        taker.take(content).await;
        assert_eq!(reasons(&observer), [reason]);
    }
    assert!(rooms.0.lock().is_empty());
}

#[tokio::test]
async fn what_a_room_refuses_does_not_come_into_force() {
    let (mut taker, rooms, observer) = taker();
    taker.take(Ok(&MANIFEST.replace("Running", "Paused"))).await;
    assert_eq!(reasons(&observer), ["SpecRefused"]);
    assert_eq!(taker.in_force, load(MANIFEST).unwrap().stream);
    assert!(rooms.0.lock().is_empty());
}
