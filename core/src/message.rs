//! Messages of the compiler with numbers in them.

use core::str;

/// A text put together by the compiler, for an assertion about shapes.
///
/// ```text
/// const { assert!(fits, "{}", Message::new("MaxPool: a ").shape(&[2, 2]).text(" window ...").as_str()) }
/// ```
///
/// The longest has 256 bytes; what is beyond is cut off.
pub(crate) struct Message {
    bytes: [u8; Self::MOST],
    len: usize,
}

impl Message {
    const MOST: usize = 256;

    pub(crate) const fn new(text: &str) -> Self {
        Self { bytes: [0; Self::MOST], len: 0 }.text(text)
    }

    /// With more text.
    pub(crate) const fn text(mut self, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut i = 0;
        while i < bytes.len() {
            self = self.byte(bytes[i]);
            i += 1;
        }
        self
    }

    /// With a number.
    pub(crate) const fn number(mut self, number: usize) -> Self {
        if number >= 10 {
            self = self.number(number / 10);
        }
        self.byte(b'0' + (number % 10) as u8)
    }

    /// With the sizes of some axes, such as `3x3`.
    pub(crate) const fn shape(mut self, axes: &[usize]) -> Self {
        let mut i = 0;
        while i < axes.len() {
            if i > 0 {
                self = self.byte(b'x');
            }
            self = self.number(axes[i]);
            i += 1;
        }
        self
    }

    /// The text. Only ASCII is ever cut off or put in; anything else would end the message.
    pub(crate) const fn as_str(&self) -> &str {
        match str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "the shapes do not fit",
        }
    }

    const fn byte(mut self, byte: u8) -> Self {
        if self.len < Self::MOST {
            self.bytes[self.len] = byte;
            self.len += 1;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_shapes_are_written_out() {
        const MESSAGE: Message =
            Message::new("a ").shape(&[2, 10]).text(" window turns ").number(0).text(" into ").shape(&[307]);
        assert_eq!(MESSAGE.as_str(), "a 2x10 window turns 0 into 307");
        let mut long = Message::new("");
        for _ in 0..300 {
            long = long.text("x");
        }
        assert_eq!(long.as_str().len(), 256);
    }
}
