//! What can be kept in a checkpoint beside the learner.

use crate::rng::Rng;

/// Something whose state a checkpoint can keep: a normaliser, a replay buffer, a metric, a random generator.
///
/// One function goes over all of it, for saving and for loading, as `serialize` does in Boost's and cereal's archives. It
/// hands each number to the [`Archive`], always the same numbers in the same order, whatever their values: an array is kept
/// whole, however much of it is in use.
///
/// **A checkpoint is not to be trusted**, even if its checksum is right. So each number comes back as the archive would have it, and
/// what it must be is said by [`require`](Archive::require): before anything is changed, `load` goes over all of them, and where
/// something is not as required the checkpoint counts as damaged.
///
/// ```
/// use backpass::checkpoint::{Archive, Persist};
///
/// /// The last few readings.
/// struct Ring {
///     readings: [f32; 100],
///     used: u32,
/// }
///
/// impl Persist for Ring {
///     fn persist(&mut self, archive: &mut Archive<'_>) {
///         archive.name("Ring");
///         archive.f32s(&mut self.readings);
///         let used = archive.u32(&mut self.used);
///         archive.require(used <= 100);
///     }
/// }
/// ```
///
/// `()`, numbers, arrays, tuples of up to eight, `&mut T` and [`Rng`] are `Persist`, so `&mut (&mut ring, &mut rng)` is an `extra` for
/// [`save`](super::Store::save) and [`load`](super::Store::load).
pub trait Persist {
    /// Hands every number to `archive`.
    fn persist(&mut self, archive: &mut Archive<'_>);
}

/// What an archive does with the numbers that it is handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It takes down their types and number.
    Describe,
    /// It writes them.
    Save,
    /// It reads them, without changing them here.
    Check,
    /// It reads them.
    Load,
}

/// Where an archive's bytes go or come from. An error is kept there until the end.
pub(crate) trait Stream {
    /// Writes the bytes, or reads them.
    fn pass(&mut self, bytes: &mut [u8]);

    /// Takes down what comes next.
    fn describe(&mut self, text: &str, count: usize) {
        let _ = (text, count);
    }

    /// How many bytes have passed.
    fn position(&self) -> u32;
}

/// What [`Persist`] hands its numbers to, to be saved, checked or loaded.
///
/// Each function returns the number as it is in the archive: when saving that of the value, when loading that of the checkpoint. Numbers
/// are kept little-endian, an `f32` as its bits, and `usize` as four bytes.
pub struct Archive<'a> {
    pub(crate) mode: Mode,
    pub(crate) stream: &'a mut dyn Stream,
    /// Whether all was as required.
    pub(crate) valid: bool,
}

impl core::fmt::Debug for Archive<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Archive").field("mode", &self.mode).field("valid", &self.valid).finish_non_exhaustive()
    }
}

/// Functions of the archive for numbers.
macro_rules! numbers {
    ($($number:ident)+) => {
        impl Archive<'_> {
            $(
                #[doc = concat!("A number of type `", stringify!($number), "`.")]
                pub fn $number(&mut self, value: &mut $number) -> $number {
                    self.stream.describe(stringify!($number), 1);
                    self.number(value, value.to_le_bytes(), $number::from_le_bytes)
                }
            )+
        }

        $(
            impl Persist for $number {
                fn persist(&mut self, archive: &mut Archive<'_>) {
                    archive.$number(self);
                }
            }
        )+
    };
}

numbers!(u8 u16 u32 u64 i8 i16 i32 i64 f32);

impl<'a> Archive<'a> {
    pub(crate) fn new(mode: Mode, stream: &'a mut dyn Stream) -> Self {
        Self { mode, stream, valid: true }
    }

    /// Takes down a name, such as that of the type: what was saved under another one is not loaded.
    pub fn name(&mut self, name: &str) {
        self.stream.describe(name, 0);
    }

    /// Says that a condition holds for the numbers as they are in the archive. Where it does not, a checkpoint is not loaded, and
    /// not saved.
    pub fn require(&mut self, condition: bool) {
        self.valid &= condition;
    }

    /// A `bool`: one byte, 0 or 1.
    pub fn bool(&mut self, value: &mut bool) -> bool {
        self.stream.describe("bool", 1);
        let byte = self.number(&mut u8::from(*value), [u8::from(*value)], |[byte]| byte);
        self.require(byte <= 1);
        if self.mode == Mode::Load {
            *value = byte == 1;
        }
        byte == 1
    }

    /// A `usize`, as four bytes, so that every platform can read it.
    pub fn usize(&mut self, value: &mut usize) -> usize {
        self.stream.describe("usize", 1);
        self.require(u32::try_from(*value).is_ok());
        self.number(value, (*value as u32).to_le_bytes(), |bytes| u32::from_le_bytes(bytes) as usize)
    }

    /// Bytes.
    pub fn bytes(&mut self, values: &mut [u8]) {
        self.stream.describe("u8", values.len());
        if self.mode == Mode::Check {
            values.iter().for_each(|value| self.stream.pass(&mut [*value]));
        } else {
            self.stream.pass(values);
        }
    }

    /// Numbers of any value: NaN and infinite ones too.
    pub fn f32s(&mut self, values: &mut [f32]) {
        self.stream.describe("f32", values.len());
        for value in values {
            self.number(value, value.to_le_bytes(), f32::from_le_bytes);
        }
    }

    /// Numbers that must be finite.
    pub fn finite(&mut self, values: &mut [f32]) {
        self.stream.describe("f32", values.len());
        for value in values {
            let value = self.number(value, value.to_le_bytes(), f32::from_le_bytes);
            self.require(value.is_finite());
        }
    }

    /// Numbers to be saved, whose description the fingerprint of the network is.
    pub(crate) fn put(&mut self, values: &[f32]) {
        for value in values {
            self.stream.pass(&mut value.to_le_bytes());
        }
    }

    fn number<T: Copy, const BYTES: usize>(
        &mut self,
        value: &mut T,
        mut bytes: [u8; BYTES],
        number: impl Fn([u8; BYTES]) -> T,
    ) -> T {
        self.stream.pass(&mut bytes);
        let stored = number(bytes);
        if self.mode == Mode::Load {
            *value = stored;
        }
        stored
    }
}

impl Persist for () {
    fn persist(&mut self, _: &mut Archive<'_>) {}
}

impl Persist for bool {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.bool(self);
    }
}

impl Persist for usize {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.usize(self);
    }
}

impl<T: Persist + ?Sized> Persist for &mut T {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        T::persist(self, archive);
    }
}

impl<T: Persist, const N: usize> Persist for [T; N] {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        self.as_mut_slice().persist(archive);
    }
}

impl<T: Persist> Persist for [T] {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.stream.describe("array", self.len());
        for item in self {
            item.persist(archive);
        }
    }
}

/// Implements [`Persist`] for one arity: each element in turn.
macro_rules! tuple {
    ($($item:ident $i:tt),+) => {
        impl<$($item: Persist),+> Persist for ($($item,)+) {
            fn persist(&mut self, archive: &mut Archive<'_>) {
                $(self.$i.persist(archive);)+
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

impl Persist for Rng {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("Rng");
        let mut state = self.state();
        archive.u64(&mut state);
        *self = Self::new(state);
    }
}
