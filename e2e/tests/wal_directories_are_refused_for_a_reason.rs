//! wal directories that must not be opened: each is refused with exit code 3 and a message that
//! says what to do; what is in them is not touched (W-3, W-4, W-16).

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use e2e::agent::Launch;
use e2e::rig::Place;
use serde_json::json;

use crate::kit::{connect, expect_numbers, put_numbered, scenario};

fn refused(place: &Place, launch: &Launch, named: &[&str]) -> Result<()> {
    let (code, said) = place.refusal(launch)?;
    ensure!(code == 3, "exit code {code}: {said}");
    for name in named {
        ensure!(said.contains(name), "doesn't name {name:?}: {said}");
    }
    Ok(())
}

fn text(path: &Path) -> Result<String> {
    Ok(path.to_str().context("a path in UTF-8")?.to_owned())
}

#[test]
fn a_read_only_directory() -> Result<()> {
    scenario("wal-ro", |rig| {
        let place = rig.place("agent")?;
        let launch = Launch::in_mounts(
            "mount --bind \"$1\" \"$1\"; mount -o remount,bind,ro \"$1\"",
            &[&place.wal()],
        );
        refused(&place, &launch, &[&text(&place.wal())?])
    })
}

#[test]
fn a_file_system_too_small_for_the_reserve() -> Result<()> {
    scenario("wal-small", |rig| {
        let place = rig.place("agent")?;
        let image = rig.path("small.img");
        File::create(&image)?.set_len(24 * 1024 * 1024)?;
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-F"])
            .arg(&image)
            .status()?;
        ensure!(made.success(), "mkfs.ext4: {made}");
        let launch = Launch::in_mounts("mount -o loop \"$1\" \"$2\"", &[&image, &place.wal()]);
        refused(&place, &launch, &[&text(&place.wal())?])
    })
}

#[test]
fn a_directory_in_use_by_another_process() -> Result<()> {
    scenario("wal-locked", |rig| {
        let place = rig.place("agent")?;
        let agent = place.start()?;
        let mut other = rig.place("other")?;
        std::fs::remove_dir(other.wal())?;
        std::os::unix::fs::symlink(place.wal(), other.wal())?;
        other.manifest.set_directory(&rig.out())?;
        other.save()?;
        refused(&other, &Launch::default(), &["process"])?;
        put_numbered(&mut connect(place.intake)?, 0..3)?;
        agent.finish()?;
        expect_numbers(&rig.out(), 0..3)
    })
}

#[test]
fn a_directory_of_another_stream() -> Result<()> {
    scenario("wal-other-stream", |rig| {
        let mut place = rig.place("agent")?;
        place.start()?.drain()?;
        place.manifest.set("/metadata/name", json!("orders"))?;
        place.save()?;
        refused(&place, &Launch::default(), &["orders", "flights"])
    })
}

#[test]
fn a_directory_of_a_newer_format() -> Result<()> {
    scenario("wal-newer", |rig| {
        let place = rig.place("agent")?;
        place.start()?.drain()?;
        raise_format(&place.wal().join("log/shard"))?;
        refused(&place, &Launch::default(), &["format"])
    })
}

#[test]
fn a_memory_file_system_unless_forced() -> Result<()> {
    scenario("wal-tmpfs", |rig| {
        let place = rig.place("agent")?;
        let mut launch =
            Launch::in_mounts("mount -t tmpfs -o size=1g tmpfs \"$1\"", &[&place.wal()]);
        refused(&place, &launch, &["tmpfs", "--force-filesystem"])?;
        launch.flags.push("--force-filesystem".into());
        let agent = place.start_with(&launch)?;
        put_numbered(&mut connect(place.intake)?, 0..3)?;
        agent.finish()?;
        expect_numbers(&rig.out(), 0..3)
    })
}

#[test]
fn a_copy_unless_adopted_and_the_original_stays_usable() -> Result<()> {
    scenario("wal-copy", |rig| {
        let place = rig.place("agent")?;
        let agent = place.start()?;
        put_numbered(&mut connect(place.intake)?, 0..7)?;
        agent.finish()?;

        let copy = rig.place("copy")?;
        let copied = Command::new("cp")
            .arg("-a")
            .arg(place.wal().join("."))
            .arg(copy.wal())
            .status()?;
        ensure!(copied.success(), "cp: {copied}");
        refused(&copy, &Launch::default(), &["copy", "--adopt-copy"])?;
        let adopted = copy.start_with(&Launch::flags(["--adopt-copy"]))?;
        put_numbered(&mut connect(copy.intake)?, 7..10)?;
        adopted.finish()?;
        // once adopted it is a directory like any other
        copy.start()?.drain()?;
        let agent = place.start()?;
        put_numbered(&mut connect(place.intake)?, 10..12)?;
        agent.finish()?;
        expect_numbers(&rig.out(), 0..12)
    })
}

/// Rewrites the shard file as a later release may write it: one line of JSON with another
/// `format`, one line with the CRC32C of the first.
fn raise_format(path: &Path) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let line = text.lines().next().context("an empty shard file")?;
    let mut shard: serde_json::Value = serde_json::from_str(line)?;
    let format = shard["format"].as_u64().context("no format")?;
    shard["format"] = json!(format + 1);
    let line = shard.to_string();
    std::fs::write(path, format!("{line}\n{:08x}\n", crc32c(line.as_bytes())))?;
    Ok(())
}

/// CRC32C, bit by bit: the polynomial of RFC 3720, reflected.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn the_checksum_of_this_test_is_crc32c() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}
