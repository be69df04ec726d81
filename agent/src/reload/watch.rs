//! When a file's content is worth a new look: pure, fed once a second.
//!
//! A content counts once two looks in a row saw the same: an editor that truncates and writes is
//! never caught in the middle, where half a manifest may be a valid one.

use sha2::{Digest as _, Sha256};

type Hash = [u8; 32];

/// What one look saw.
pub type Look<'a> = Result<&'a str, &'a str>;

/// What is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News<'a> {
    /// Another content than the last that was told.
    Content(&'a str),
    /// The file can't be read any more, and why.
    Unreadable(&'a str),
}

/// What was seen so far.
#[derive(Debug)]
pub struct Watch {
    told: State,
    last: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Content(Hash),
    Unreadable,
}

impl Watch {
    /// `content` is what the process started with.
    pub fn new(content: &str) -> Self {
        let state = State::Content(hash(content));
        Self {
            told: state,
            last: state,
        }
    }

    /// Takes a look in; each content, and each time of being unreadable, is told once.
    pub fn look<'a>(&mut self, look: Look<'a>) -> Option<News<'a>> {
        let state = match look {
            Ok(content) => State::Content(hash(content)),
            Err(_) => State::Unreadable,
        };
        let settled = state == self.last;
        self.last = state;
        if !settled || state == self.told {
            return None;
        }
        self.told = state;
        Some(match look {
            Ok(content) => News::Content(content),
            Err(why) => News::Unreadable(why),
        })
    }
}

fn hash(content: &str) -> Hash {
    Sha256::digest(content).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told after each look.
    fn told<'a>(looks: &[Look<'a>]) -> Vec<Option<News<'a>>> {
        let mut watch = Watch::new("one");
        looks.iter().map(|look| watch.look(*look)).collect()
    }

    #[test]
    fn the_content_of_the_start_is_no_news() {
        assert_eq!(told(&[Ok("one"), Ok("one")]), [None, None]);
    }

    #[test]
    fn a_content_is_told_once_when_it_has_settled() {
        assert_eq!(
            told(&[Ok("two"), Ok("two"), Ok("two")]),
            [None, Some(News::Content("two")), None]
        );
    }

    #[test]
    fn a_half_written_file_is_not_told() {
        assert_eq!(
            told(&[Ok(""), Ok("tw"), Ok("two"), Ok("two")]),
            [None, None, None, Some(News::Content("two"))]
        );
    }

    #[test]
    fn going_back_is_news() {
        assert_eq!(
            told(&[Ok("two"), Ok("two"), Ok("one"), Ok("one")]),
            [
                None,
                Some(News::Content("two")),
                None,
                Some(News::Content("one"))
            ]
        );
    }

    #[test]
    fn a_short_absence_is_not_told_a_long_one_once() {
        assert_eq!(
            told(&[Err("gone"), Ok("one"), Ok("one")]),
            [None, None, None]
        );
        assert_eq!(
            told(&[Err("gone"), Err("gone"), Err("gone"), Ok("one"), Ok("one")]),
            [
                None,
                Some(News::Unreadable("gone")),
                None,
                None,
                Some(News::Content("one"))
            ]
        );
    }
}
