//! Who may put records, and what a producer is called. The key id of an AWS signature is a name and
//! never counts as authentication: the signature is not verified.

use std::path::{Path, PathBuf};

use crds::validate::ValidatedAuth;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::limits::PRODUCER_CHARS;

/// The rule in force.
#[derive(Clone, Debug)]
pub struct Auth {
    rule: ValidatedAuth,
    secrets_dir: PathBuf,
}

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The token is missing or another one.
    Token,
    /// The agent has no token to compare with: the message says which file is missing.
    NotConfigured(String),
}

impl Auth {
    pub fn new(rule: ValidatedAuth, secrets_dir: PathBuf) -> Self {
        Self { rule, secrets_dir }
    }

    pub fn set(&mut self, rule: ValidatedAuth) {
        self.rule = rule;
    }

    /// Reads the token's file, which a mount may have refreshed.
    pub fn token(&self) -> Result<Option<SecretString>, Denied> {
        match &self.rule {
            ValidatedAuth::None => Ok(None),
            ValidatedAuth::Bearer {
                secret_name,
                secret_key,
            } => read_token(&self.secrets_dir.join(secret_name).join(secret_key)).map(Some),
        }
    }
}

/// Whether a request carries the token, if there is one.
pub fn check(headers: &HeaderMap, token: Option<&SecretString>) -> Result<(), Denied> {
    let Some(token) = token else {
        return Ok(());
    };
    let sent = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map_or("", |(_, token)| token.trim());
    // hashed first: neither the time nor the length of the comparison tells anything
    let same = Sha256::digest(sent).ct_eq(&Sha256::digest(token.expose_secret()));
    if bool::from(same) {
        Ok(())
    } else {
        Err(Denied::Token)
    }
}

fn read_token(path: &Path) -> Result<SecretString, Denied> {
    let denied = |why: String| {
        Denied::NotConfigured(format!(
            "the token of spec.source.directPut.auth can't be read from {}: {why}",
            path.display()
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|error| denied(error.to_string()))?;
    let token = text.trim_end_matches(['\r', '\n']);
    if token.is_empty() {
        return Err(denied("the file is empty".to_owned()));
    }
    Ok(SecretString::from(token))
}

/// What a producer calls itself: the access key id of an AWS signature.
pub fn producer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (_, after) = value
        .strip_prefix("AWS4-HMAC-SHA256")?
        .split_once("Credential=")?;
    let (key_id, _) = after.split_once('/')?;
    let name: String = key_id.chars().take(PRODUCER_CHARS).collect();
    let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic());
    fits.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, authorization.parse().expect("a header"));
        headers
    }

    #[test]
    fn only_the_token_lets_in() {
        let token = SecretString::from("s3cret");
        assert_eq!(check(&headers("Bearer s3cret"), Some(&token)), Ok(()));
        assert_eq!(check(&headers("bearer s3cret"), Some(&token)), Ok(()));
        for wrong in [
            "Bearer s3cre",
            "Bearer",
            "s3cret",
            "Basic s3cret",
            "AWS4-HMAC-SHA256 Credential=s3cret/x",
        ] {
            assert_eq!(
                check(&headers(wrong), Some(&token)),
                Err(Denied::Token),
                "{wrong}"
            );
        }
        assert_eq!(check(&HeaderMap::new(), Some(&token)), Err(Denied::Token));
        assert_eq!(check(&HeaderMap::new(), None), Ok(()));
    }

    #[test]
    fn a_missing_token_file_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let rule = ValidatedAuth::Bearer {
            secret_name: "ingest".into(),
            secret_key: "token".into(),
        };
        let auth = Auth::new(rule, directory.path().to_owned());
        let missing = auth.token();
        assert!(matches!(missing, Err(Denied::NotConfigured(why)) if why.contains("ingest/token")));
        std::fs::create_dir(directory.path().join("ingest")).expect("made");
        std::fs::write(directory.path().join("ingest/token"), "t\n").expect("written");
        assert_eq!(
            auth.token().expect("read").expect("set").expose_secret(),
            "t"
        );
    }

    #[test]
    fn a_signature_names_its_producer() {
        let signed =
            "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu/firehose/aws4_request, Signature=0";
        assert_eq!(producer(&headers(signed)).as_deref(), Some("AKID"));
        assert_eq!(
            producer(&headers("AWS4-HMAC-SHA256 Credential=A B/2")),
            None
        );
        assert_eq!(producer(&headers("Bearer x")), None);
    }
}
