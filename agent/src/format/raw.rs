//! `Raw`: records one after the other, byte for byte, with nothing between them unless the
//! `AppendDelimiter` processor is listed.

/// Appends the record as it is; an empty one adds nothing, but it is counted and sealed.
pub fn append(record: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(record);
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_is_added_or_taken() {
        let mut out = Vec::new();
        for record in [&b"a\n"[..], b"", b"\xff\0 "] {
            super::append(record, &mut out);
        }
        assert_eq!(out, b"a\n\xff\0 ");
    }
}
