//! Sizes as Kubernetes writes them: digits with a suffix, `5Mi`, `64Ki`, `1G`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The text of a size in bytes; [`Quantity::bytes`] reads it. Kept as written, so that a manifest
/// can be shown again and every bad size be told at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "kube", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "kube", schemars(inline))]
#[serde(transparent)]
pub struct Quantity(
    #[cfg_attr(
        feature = "kube",
        schemars(length(max = 32), regex(pattern = r"^[0-9]+(Ki|Mi|Gi|Ti|k|M|G|T)?$"))
    )]
    String,
);

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error(
        "a size is a whole number with one of Ki, Mi, Gi, Ti (powers of 1024), k, M, G, T (powers of 1000) or nothing{hint}"
    )]
    Form { hint: String },
    #[error("the size doesn't fit in 63 bits")]
    TooLarge,
}

const UNITS: [(&str, u64); 9] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("", 1),
];

impl Quantity {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The size in bytes, below 2^63.
    pub fn bytes(&self) -> Result<u64, QuantityError> {
        let text = self.0.as_str();
        let end = text
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(text.len());
        let (digits, suffix) = text.split_at(end);
        let unit = UNITS.iter().find(|(name, _)| *name == suffix);
        let Some((_, unit)) = unit.filter(|_| !digits.is_empty()) else {
            return Err(QuantityError::Form {
                hint: hint(digits, suffix),
            });
        };
        let count: u64 = digits.parse().map_err(|_| QuantityError::TooLarge)?;
        count
            .checked_mul(*unit)
            .filter(|bytes| i64::try_from(*bytes).is_ok())
            .ok_or(QuantityError::TooLarge)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the writer probably meant: `5MB`, `5mb`, `5 Mi`, `5MiB` → `5Mi`.
fn hint(digits: &str, suffix: &str) -> String {
    let unit = match suffix.trim().to_ascii_lowercase().as_str() {
        "kb" | "kib" | "ki" | "k" => "Ki",
        "mb" | "mib" | "mi" | "m" => "Mi",
        "gb" | "gib" | "gi" | "g" => "Gi",
        "tb" | "tib" | "ti" | "t" => "Ti",
        _ => return String::new(),
    };
    if digits.is_empty() {
        return String::new();
    }
    format!("; write {digits}{unit}")
}

/// Bytes in the largest binary unit that divides them.
pub fn display(bytes: u64) -> String {
    let units = [("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)];
    for (name, shift) in units {
        let unit = 1_u64 << shift;
        if bytes >= unit && bytes.is_multiple_of(unit) {
            return format!("{}{name}", bytes >> shift);
        }
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_kubernetes_reads_them() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("64Ki", 65_536),
            ("5Mi", 5_242_880),
            ("5M", 5_000_000),
            ("1Gi", 1 << 30),
            ("2T", 2_000_000_000_000),
        ] {
            assert_eq!(Quantity::new(text).bytes(), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_was_meant_is_said() {
        let error = Quantity::new("5MB").bytes().unwrap_err();
        assert!(error.to_string().ends_with("; write 5Mi"), "{error}");
        for text in ["", "Mi", "-1", "1.5Gi", "1e3", "5Q", "٣"] {
            let error = Quantity::new(text).bytes().unwrap_err();
            assert!(!error.to_string().contains("write"), "{text}: {error}");
        }
        let large = Quantity::new("9223372036854775808").bytes();
        assert_eq!(large, Err(QuantityError::TooLarge));
        let larger = Quantity::new("99999999999999999999Ti").bytes();
        assert_eq!(larger, Err(QuantityError::TooLarge));
    }

    #[test]
    fn display_takes_the_largest_unit_that_divides() {
        assert_eq!(display(5 << 20), "5Mi");
        assert_eq!(display(1 << 30), "1Gi");
        assert_eq!(display(65_537), "65537");
        assert_eq!(display(0), "0");
    }
}
