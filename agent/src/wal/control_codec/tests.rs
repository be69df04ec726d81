use super::*;

#[expect(clippy::too_many_lines, reason = "one example of each kind of frame")]
fn examples() -> Vec<(Control, &'static str)> {
    let place = Place {
        root: "/d".into(),
        key: "k".into(),
    };
    let batch = BatchId(Uuid::from_u128(2));
    let cursor = CursorId(3);
    let removed = Removed {
        output: OutputId {
            sequence: Sequence(9),
            index: 1,
        },
        reason: "r".into(),
    };
    let sealed = SealedBatch {
        identity: BatchIdentity {
            shard: ShardId(Uuid::from_u128(1)),
            incarnation: Incarnation(4),
            cursor,
            partition: Partition::Error,
            first_sequence: Sequence(5),
        },
        reseal: 1,
        place: place.clone(),
        generation: 6,
        arrival: UnixMillis(-1),
        count: 7,
        length: 8,
        digest: [0xaa; 32],
        runs: [Sequence(5)..Sequence(300)].into_iter().collect(),
    };
    vec![
        (
            Control::Cursor {
                cursor,
                name: "lake".into(),
                first: Sequence(1),
            },
            "03000000000000000100000000000000040000006c616b65",
        ),
        (
            Control::Version {
                cursor,
                first: Sequence(2),
                generation: 1,
                digest: VersionDigest([0xbb; 32]),
            },
            "030000000000000002000000000000000100000000000000bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\
             bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        ),
        (
            Control::Upload {
                cursor,
                batch,
                place: place.clone(),
                upload: "u".into(),
            },
            "030000000000000000000000000000000000000000000002020000002f64010000006b0100000075",
        ),
        (
            Control::Seal(sealed),
            "00000000000000000000000000000001040000000000000003000000000000000500000000000000\
             050000006572726f7201000000020000002f64010000006b0600000000000000ffffffffffffffff\
             07000000000000000800000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
             aaaaaaaaaaaaaaaa0105a702",
        ),
        (
            Control::Reseal {
                cursor,
                batch,
                reseal: 2,
                place,
            },
            "03000000000000000000000000000000000000000000000202000000020000002f64010000006b",
        ),
        (
            Control::Done {
                cursor,
                batch,
                rejects: vec![removed],
            },
            "030000000000000000000000000000000000000000000002010000000900000000000000010000000\
             100000072",
        ),
        (
            Control::GiveUp {
                cursor,
                batch,
                verified: true,
                reason: "g".into(),
            },
            "030000000000000000000000000000000000000000000002010100000067",
        ),
        (
            Control::Loss {
                sequences: Sequence(1)..Sequence(4),
                records: 3,
                reason: "l".into(),
            },
            "010000000000000004000000000000000300000000000000010000006c",
        ),
    ]
}

#[expect(clippy::format_collect, reason = "hex of a golden test")]
#[test]
fn the_bytes_of_control_frames_stay_as_they_are() {
    for (control, golden) in examples() {
        let bytes = control.encode();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            hex, golden,
            "{control:?}: a changed frame needs a new format"
        );
        assert_eq!(Control::decode(control.kind(), &bytes), Ok(control));
    }
}

#[test]
fn a_payload_cut_anywhere_is_refused() {
    for (control, _) in examples() {
        let bytes = control.encode();
        for length in 0..bytes.len() {
            assert!(
                Control::decode(control.kind(), &bytes[..length]).is_err(),
                "{control:?}"
            );
        }
    }
}
