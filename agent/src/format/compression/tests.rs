use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use flate2::bufread::GzDecoder;
use proptest::prelude::*;

use super::*;

fn object(compression: Compression, blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut joiner = Joiner::new(compression);
    let mut object = joiner.head().to_vec();
    for block in blocks {
        let (bytes, summary) = compression.block(block.clone().into()).unwrap();
        joiner.add(&summary);
        object.extend_from_slice(&bytes);
    }
    object.extend_from_slice(&joiner.tail());
    object
}

/// Bytes of every kind: runs, text, and what no compressor makes smaller.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let entropy = crate::entropy::Entropy::from_seed(seed);
    (0..length)
        .map(|_| entropy.next_u32().to_le_bytes()[0])
        .collect()
}

/// Decodes exactly one member and asserts that nothing follows it.
fn one_member(object: &[u8]) -> Vec<u8> {
    let mut rest = object;
    let mut decoded = Vec::new();
    GzDecoder::new(&mut rest).read_to_end(&mut decoded).unwrap();
    assert!(rest.is_empty(), "{} bytes after the member", rest.len());
    decoded
}

fn through(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{program}: {}", output.status);
    output.stdout
}

#[test]
fn independent_readers_read_one_member() {
    let blocks = [
        b"{\"a\":1}\n".repeat(100_000),
        noise(300_000, 1),
        b"last\n".to_vec(),
    ];
    let plain = blocks.concat();
    for level in [1, 6, 9] {
        let object = object(Compression::Gzip { level }, &blocks);
        assert_eq!(one_member(&object), plain);
        assert_eq!(through("gzip", &["-dc"], &object), plain);
        let python =
            "import gzip,sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))";
        assert_eq!(through("python3", &["-c", python], &object), plain);
    }
}

#[test]
fn header_and_trailer_are_fixed() {
    let object = object(Compression::Gzip { level: 6 }, &[b"abc".to_vec()]);
    assert_eq!(object[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    // CRC-32 of "abc", length 3
    assert_eq!(
        object[object.len() - 10..],
        [3, 0, 0xc2, 0x41, 0x24, 0x35, 3, 0, 0, 0]
    );
}

#[test]
fn what_can_not_shrink_grows_little() {
    let plain = noise(1 << 20, 2);
    for level in 1..=9 {
        let object = object(Compression::Gzip { level }, std::slice::from_ref(&plain));
        // level 1 uses fixed codes: nine bits for half of the bytes
        let most = plain.len() / if level == 1 { 16 } else { 1000 };
        let grown = object.len() - plain.len();
        assert!(grown < most, "level {level}: {grown} bytes more");
        assert_eq!(one_member(&object), plain);
    }
}

#[test]
fn no_compression_is_the_bytes() {
    let blocks = [b"ab".to_vec(), b"c".to_vec()];
    assert_eq!(object(Compression::None, &blocks), b"abc");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_blocks_read_back_and_are_the_same_each_time(
        blocks in prop::collection::vec((0_usize..5000, any::<u64>(), any::<bool>()), 1..6),
        level in 1_u32..=9,
    ) {
        let blocks: Vec<Vec<u8>> = blocks
            .into_iter()
            .map(|(length, seed, flat)| if flat { vec![b'x'; length * 10] } else { noise(length, seed) })
            .collect();
        let compression = Compression::Gzip { level };
        let encoded = object(compression, &blocks);
        prop_assert_eq!(one_member(&encoded), blocks.concat());
        prop_assert_eq!(object(compression, &blocks), encoded);
    }
}
