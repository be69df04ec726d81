//! Which member may know which (ARCHITECTURE.md), and what must never come into the agent.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::rig::workspace;

/// The members of this workspace, of today and of later.
const MEMBERS: [&str; 4] = ["agent", "crds", "e2e", "operator"];

/// Every package that `member` is built from, itself included.
fn tree(member: &str) -> Result<BTreeSet<String>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "tree",
            "--locked",
            "--package",
            member,
            "--edges",
            "normal,build",
        ])
        .args(["--prefix", "none", "--format", "{p}"])
        .current_dir(workspace()?)
        .output()
        .context("start cargo")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    Ok(text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect())
}

fn knows(member: &str, allowed: &[&str]) -> Result<()> {
    let tree = tree(member)?;
    ensure!(
        tree.contains(member),
        "cargo tree of {member} doesn't hold {member}: {tree:?}"
    );
    for other in MEMBERS {
        ensure!(
            other == member || allowed.contains(&other) || !tree.contains(other),
            "{member} must not depend on {other}"
        );
    }
    Ok(())
}

#[test]
fn arrows_between_members_go_one_way() -> Result<()> {
    knows("crds", &[])?;
    knows("agent", &["crds"])?;
    knows("e2e", &["crds"])
}

#[test]
fn the_agent_is_built_without_kubernetes_and_nothing_is_built_with_ring() -> Result<()> {
    let agent = tree("agent")?;
    ensure!(
        agent.contains("crds"),
        "the agent reads manifests: {agent:?}"
    );
    for package in [
        "kube",
        "kube-core",
        "kube-derive",
        "k8s-openapi",
        "schemars",
    ] {
        ensure!(
            !agent.contains(package),
            "the agent is built with {package}"
        );
    }
    for member in ["agent", "crds", "e2e"] {
        for package in ["ring", "openssl", "openssl-sys"] {
            ensure!(
                !tree(member)?.contains(package),
                "{member} is built with {package}"
            );
        }
    }
    Ok(())
}
