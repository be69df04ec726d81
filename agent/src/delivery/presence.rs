//! Is it there, and is it proved absent (D-9, D-10): what follows from every answer about one sealed
//! batch. Pure.

use crate::object::{Failure, FailureClass, Outcome, Presence};

/// What is known of one sealed batch's object.
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts, each known by itself"
)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    /// The batch was sealed by an earlier process, whose creates are not known.
    inherited: bool,
    /// A create of this process may still be applied.
    unanswered: bool,
    /// A create answered that something is there.
    exists: bool,
    /// A look said that it is absent and that nothing of an earlier process can still appear.
    settled: bool,
    /// Failed tries since the last change: the back-off grows with them.
    pub attempts: u32,
    /// Why it is held for the configuration to be mended, if it is.
    pub held: Option<Held>,
}

/// Why a batch is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// The configuration is wrong.
    Configuration(String),
    /// The name is taken by something that is not ours (D-9.5).
    KeyConflict(String),
}

/// What to do next about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is at its place: write DONE. `taken`: it was created, and a reader took it since (D-9.2).
    Done {
        taken: bool,
    },
    /// Look whether it is there, before anything else.
    Look,
    Create,
    /// Wait and try again.
    Wait(Failure),
}

impl Knowledge {
    /// A batch that this process sealed.
    pub fn fresh() -> Self {
        Self::default()
    }

    /// A batch that an earlier process sealed.
    pub fn inherited() -> Self {
        Self {
            inherited: true,
            ..Self::default()
        }
    }

    /// After a RESEAL: nothing was ever sent to the new place.
    pub fn resealed() -> Self {
        Self::default()
    }

    /// What to begin with, or to go on with after a wait.
    pub fn first(&self) -> Next {
        if (self.inherited && !self.settled) || self.unanswered {
            Next::Look
        } else {
            Next::Create
        }
    }

    /// Whether the old key is proved absent (D-10): no create can still make it appear.
    pub fn is_proved_absent(&self) -> bool {
        !self.unanswered && (!self.inherited || self.settled)
    }

    /// Takes in how a create ended.
    pub fn created(&mut self, outcome: Outcome) -> Next {
        match outcome {
            Outcome::Created => Next::Done { taken: false },
            // a look tells whose it is; until then nothing is proved
            Outcome::Exists => {
                self.unanswered = true;
                self.exists = true;
                Next::Look
            }
            Outcome::MayHaveHappened(_) => {
                self.unanswered = true;
                self.attempts += 1;
                Next::Look
            }
            Outcome::NotSent(failure) | Outcome::Refused(failure) => self.failed(failure),
        }
    }

    /// Takes in what a look said.
    pub fn looked(&mut self, presence: Presence) -> Next {
        match presence {
            Presence::Ours => Next::Done { taken: false },
            // whoever put it there may take it away: then it is ours to create, and nobody took ours
            Presence::Foreign(what) => {
                self.attempts += 1;
                self.exists = false;
                self.held = Some(Held::KeyConflict(what.clone()));
                Next::Wait(Failure {
                    class: FailureClass::Configuration,
                    message: format!("the object's name is taken: {what}"),
                })
            }
            // something was there and is gone: a reader took it, never created again (D-9.2)
            Presence::Absent { .. } if self.exists => Next::Done { taken: true },
            Presence::Absent { settled } => {
                self.held = None;
                self.settled |= settled;
                if settled {
                    self.unanswered = false;
                    Next::Create
                } else {
                    Next::Wait(Failure {
                        class: FailureClass::Destination,
                        message: "an earlier attempt may still be under way".to_owned(),
                    })
                }
            }
            Presence::Unknown(failure) => self.failed(failure),
        }
    }

    fn failed(&mut self, failure: Failure) -> Next {
        self.attempts += 1;
        self.held = match failure.class {
            FailureClass::Configuration => Some(Held::Configuration(failure.message.clone())),
            FailureClass::Record | FailureClass::Destination => None,
        };
        Next::Wait(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(class: FailureClass) -> Failure {
        Failure {
            class,
            message: "why".into(),
        }
    }

    #[test]
    fn a_refused_create_proves_absence_and_an_unanswered_one_does_not() {
        let mut fresh = Knowledge::fresh();
        assert_eq!(fresh.first(), Next::Create);
        fresh.created(Outcome::Refused(failure(FailureClass::Configuration)));
        assert!(fresh.is_proved_absent() && fresh.held.is_some());
        let mut unsure = Knowledge::fresh();
        let lost = Outcome::MayHaveHappened(failure(FailureClass::Destination));
        assert_eq!(unsure.created(lost), Next::Look);
        unsure.created(Outcome::Refused(failure(FailureClass::Configuration)));
        assert!(
            !unsure.is_proved_absent(),
            "the first one may still be applied"
        );
        assert_eq!(unsure.first(), Next::Look);
        unsure.looked(Presence::Absent { settled: false });
        assert!(!unsure.is_proved_absent());
        assert_eq!(
            unsure.looked(Presence::Absent { settled: true }),
            Next::Create
        );
        assert!(unsure.is_proved_absent());
    }

    #[test]
    fn what_an_earlier_process_sealed_is_looked_for_first() {
        let mut inherited = Knowledge::inherited();
        assert_eq!(inherited.first(), Next::Look);
        assert!(!inherited.is_proved_absent());
        let unknown = Presence::Unknown(failure(FailureClass::Destination));
        assert!(matches!(inherited.looked(unknown), Next::Wait(_)));
        assert_eq!(
            inherited.looked(Presence::Ours),
            Next::Done { taken: false }
        );
        inherited.looked(Presence::Absent { settled: true });
        assert_eq!(inherited.first(), Next::Create);
    }

    #[test]
    fn exists_is_done_held_or_taken_but_never_created_again() {
        for (presence, next) in [
            (Presence::Ours, Next::Done { taken: false }),
            (
                Presence::Absent { settled: true },
                Next::Done { taken: true },
            ),
        ] {
            let mut knowledge = Knowledge::fresh();
            assert_eq!(knowledge.created(Outcome::Exists), Next::Look);
            assert_eq!(knowledge.looked(presence), next);
        }
    }

    #[test]
    fn a_foreign_object_is_waited_for_and_never_taken_for_a_reader() {
        let mut knowledge = Knowledge::fresh();
        assert_eq!(knowledge.created(Outcome::Exists), Next::Look);
        let foreign = Presence::Foreign("a file".into());
        assert!(matches!(knowledge.looked(foreign), Next::Wait(_)));
        assert!(matches!(knowledge.held, Some(Held::KeyConflict(_))));
        assert_eq!(knowledge.first(), Next::Look);
        let gone = Presence::Absent { settled: true };
        assert_eq!(
            knowledge.looked(gone),
            Next::Create,
            "it was taken away, ours never was there"
        );
        assert_eq!(knowledge.held, None);
    }

    #[test]
    fn a_destination_that_fails_is_no_reason_to_hold() {
        let mut knowledge = Knowledge::fresh();
        knowledge.created(Outcome::NotSent(failure(FailureClass::Configuration)));
        let next = knowledge.created(Outcome::NotSent(failure(FailureClass::Destination)));
        assert_eq!(next, Next::Wait(failure(FailureClass::Destination)));
        assert_eq!((knowledge.held, knowledge.attempts), (None, 2));
    }
}
