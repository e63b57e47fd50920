//! Fingerprints of what a checkpoint is of.

/// FNV-1a with 64 bits: a hash that any tool can compute in three lines.
///
/// Source: Fowler, Noll and Vo; `hash = (hash ^ byte) * 0x100000001b3` for each byte, from `0xcbf29ce484222325` on.
///
/// ```
/// use backpass::checkpoint::Fingerprint;
/// assert_eq!(Fingerprint::new().bytes(b"foobar").value(), 0x85944171f73967e8);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// That of nothing.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// With more bytes.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    /// With a number: four bytes, little-endian.
    #[must_use]
    pub fn number(self, number: usize) -> Self {
        self.bytes(&(number as u32).to_le_bytes())
    }

    /// With a text: its bytes and a zero.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes()).bytes(&[0])
    }

    /// The hash.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self::new()
    }
}
