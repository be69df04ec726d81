//! `standpipe-agent check`: what is wrong is said with its place, every rule violation at once,
//! exit code 2; what is right is shown with the values in effect.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::manifest::Manifest;
use e2e::rig::{Rig, program, workspace};
use serde_json::json;

use crate::kit::scenario;

fn check(path: &Path) -> Result<(Option<i32>, String)> {
    let output = Command::new(program()?).arg("check").arg(path).output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

fn refused(rig: &Rig, text: &str, named: &[&str]) -> Result<()> {
    let path = rig.path("stream.yaml");
    std::fs::write(&path, text)?;
    let (code, said) = check(&path)?;
    ensure!(code == Some(2), "exit code {code:?}: {said}");
    for name in named {
        ensure!(said.contains(name), "doesn't name {name:?}: {said}");
    }
    Ok(())
}

fn manifest() -> Manifest {
    Manifest::new(8080, Path::new("/data"))
}

#[test]
fn what_is_wrong_is_named_with_its_field() -> Result<()> {
    scenario("bad-manifests", |rig| {
        let cases = [
            ("/spec/wal/capacity", json!("5MB"), "spec.wal.capacity"),
            ("/spec/wal/capacity", json!("1Mi"), "spec.wal.capacity"),
            ("/spec/wal/ack", json!("Written"), "spec.wal.ack"),
            ("/spec/source/type", json!("Kafka"), "spec.source"),
            (
                "/spec/source/directPut/port",
                json!(0),
                "spec.source.directPut.port",
            ),
            ("/spec/destinations/0/type", json!("S3"), "destinations"),
            ("/spec/destinations/0/unknown", json!(1), "unknown"),
            (
                "/spec/destinations/0/buffering/size",
                json!("1Ki"),
                "buffering.size",
            ),
            (
                "/spec/destinations/0/fileSystem/prefix",
                json!("!{timestamp:bb}/"),
                "prefix",
            ),
            (
                "/spec/destinations/0/fileSystem/prefix",
                json!("!{nonsense:x}/"),
                "prefix",
            ),
            (
                "/spec/destinations/0/fileSystem/prefix",
                json!("../up/"),
                "prefix",
            ),
            ("/spec/destinations", json!([]), "destinations"),
            ("/spec/backup", json!({"mode": "All"}), "backup"),
        ];
        for (pointer, value, named) in cases {
            let mut wrong = manifest();
            wrong.set(pointer, value.clone())?;
            refused(rig, &wrong.text(), &[named])
                .with_context(|| format!("{pointer} = {value}"))?;
        }
        Ok(())
    })
}

#[test]
fn every_rule_violation_is_told_at_once() -> Result<()> {
    scenario("all-at-once", |rig| {
        let mut wrong = manifest();
        wrong
            .set("/spec/wal/capacity", json!("1Mi"))?
            .set("/spec/destinations/0/buffering/intervalSeconds", json!(901))?
            .set("/spec/destinations/0/concurrency", json!(0))?;
        refused(
            rig,
            &wrong.text(),
            &["capacity", "intervalSeconds", "concurrency"],
        )
    })
}

#[test]
fn what_is_no_single_plain_document_is_refused() -> Result<()> {
    scenario("documents", |rig| {
        let good = manifest().text();
        refused(rig, &format!("{good}---\n{good}"), &["document"])?;
        refused(
            rig,
            "kind: DeliveryStream\nkind: DeliveryStream\n",
            &["kind"],
        )?;
        refused(rig, "", &[])?;
        let levels = (1..12).map(|level| {
            let below = format!("*a{}, ", level - 1).repeat(10);
            format!("a{level}: &a{level} [{below}]\n")
        });
        let mut bomb = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned()];
        bomb.extend(levels);
        refused(rig, &bomb.concat(), &[])
    })
}

#[test]
fn the_examples_are_valid_and_shown_with_their_defaults() -> Result<()> {
    let examples = workspace()?.join("manifests/examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(&examples)? {
        let (code, said) = check(&entry?.path())?;
        ensure!(code == Some(0), "{code:?}: {said}");
        ensure!(
            said.contains("capacity"),
            "shows no values in effect: {said}"
        );
        seen += 1;
    }
    ensure!(seen > 0, "no examples in {}", examples.display());
    Ok(())
}
