//! `spec.source`.

use super::names::{secret_key, secret_name};
use super::problems::Checker;
use super::stream::{ValidatedAuth, ValidatedLimits, ValidatedSource};
use crate::v1alpha1::{Auth, AuthType, Limits, Source, SourceType};

pub(super) fn check(checker: &mut Checker, source: &Source) -> Option<ValidatedSource> {
    let SourceType::DirectPut = source.kind;
    let put = &source.direct_put;
    let port = checker.number("spec.source.directPut.port", put.port, 1..=65_535);
    let auth = auth(checker, &put.auth);
    let limits = limits(checker, &put.limits);
    Some(ValidatedSource {
        port: port?,
        auth: auth?,
        limits: limits?,
    })
}

fn auth(checker: &mut Checker, auth: &Auth) -> Option<ValidatedAuth> {
    let field = "spec.source.directPut.auth.bearer";
    match (auth.kind, &auth.bearer) {
        (AuthType::None, None) => Some(ValidatedAuth::None),
        (AuthType::Bearer, Some(bearer)) => {
            let secret = &bearer.secret;
            secret_name(checker, &format!("{field}.secret.name"), &secret.name);
            secret_key(checker, &format!("{field}.secret.key"), &secret.key);
            Some(ValidatedAuth::Bearer {
                secret_name: secret.name.clone(),
                secret_key: secret.key.clone(),
            })
        }
        (AuthType::None, Some(_)) => {
            checker.refuse(
                field,
                "found with type None, allowed only with type Bearer; set type: Bearer or take it out",
            );
            None
        }
        (AuthType::Bearer, None) => {
            checker.refuse(
                field,
                "not found, required with type Bearer; name the Secret and its key that hold the token",
            );
            None
        }
    }
}

fn limits(checker: &mut Checker, limits: &Limits) -> Option<ValidatedLimits> {
    let field = "spec.source.directPut.limits";
    let request_bytes = checker.size(
        format!("{field}.requestBytes"),
        &limits.request_bytes,
        1 << 20..=64 << 20,
    );
    let connections = checker.number(
        format!("{field}.connections"),
        limits.connections,
        1..=65_536,
    );
    let bytes_per_second = match &limits.bytes_per_second {
        None => Some(None),
        Some(rate) => checker
            .size(format!("{field}.bytesPerSecond"), rate, 64 << 10..=64 << 30)
            .map(Some),
    };
    Some(ValidatedLimits {
        request_bytes: request_bytes?,
        connections: connections?,
        bytes_per_second: bytes_per_second?,
    })
}
