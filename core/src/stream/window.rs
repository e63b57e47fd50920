//! The last rows of a stream.

use crate::checkpoint::{Archive, Persist};
use crate::message::Message;
use crate::stream::error::SampleError;
use crate::tensor::{Tensor, Zero};

/// A sliding window: the last `T` rows of a sensor with `C` channels, complete every `HOP` rows. 4 `T` `C` + 12 bytes.
///
/// [`write`](Self::write) puts the rows in order straight into the network's input, which lies in [`Memory`](crate::Memory): by
/// [`Learner::predict_with`](crate::Learner::predict_with) and its siblings. There is no third place for them.
///
/// With `HOP` below `T` windows overlap, by `T - HOP` rows; with `HOP` equal to `T` each row is in one window; above, rows between
/// two windows are left out. The windows are those of numpy's `sliding_window_view(rows, T, axis=0)[::HOP]`.
///
/// ```
/// use backpass::stream::Window;
/// let mut window = Window::<3, 1, 2>::new();
/// let (mut input, mut complete) = ([[0.0]; 3], Vec::new());
/// for row in [[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]] {
///     if window.push(&row)? {
///         window.write(&mut input);
///         complete.push(input);
///     }
/// }
/// assert_eq!(complete, [[[1.0], [2.0], [3.0]], [[3.0], [4.0], [5.0]]]);
/// # Ok::<(), backpass::stream::SampleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Window<const T: usize, const C: usize, const HOP: usize> {
    rows: [[f32; C]; T],
    /// Where the next row goes: below `T`. The oldest row stands there.
    next: u32,
    /// How many rows there are, up to `T`.
    filled: u32,
    /// How many rows have come since the last complete window: below `HOP`.
    since: u32,
}

impl<const T: usize, const C: usize, const HOP: usize> Window<T, C, HOP> {
    /// Without rows: all zeros, so that a static lies in `.bss`.
    pub const fn new() -> Self {
        const {
            assert!(T > 0 && C > 0 && HOP > 0, "Window: it has no rows, no channels or no hop");
            assert!(T <= u32::MAX as usize && HOP <= u32::MAX as usize, "Window: it has too many rows");
        }
        Self { rows: [[0.0; C]; T], next: 0, filled: 0, since: 0 }
    }

    /// Takes the next row. Whether a window is complete with it: the first with row `T`, then one every `HOP` rows.
    ///
    /// # Errors
    /// [`SampleError`]: an element is not finite. Nothing has changed then.
    pub fn push(&mut self, row: &[f32; C]) -> Result<bool, SampleError> {
        SampleError::check_finite(row)?;
        if let Some(place) = self.rows.get_mut(self.next as usize) {
            *place = *row;
        }
        self.next = if self.next as usize + 1 < T { self.next + 1 } else { 0 };
        if !self.is_full() {
            self.filled += 1;
            return Ok(self.is_full());
        }
        self.since = if (self.since as usize + 1) < HOP { self.since + 1 } else { 0 };
        Ok(self.since == 0)
    }

    /// Writes the last `T` rows, the oldest first: `input` is a `Signal<T, C>`, or another tensor with as many elements. Rows that
    /// have not come yet are zeros, before the others.
    pub fn write<X: Tensor>(&self, input: &mut X) {
        const {
            let message = Message::new("Window: ").shape(&[T, C]).text(" elements do not fill an input of ");
            assert!(T * C == X::LEN, "{}", message.number(X::LEN).as_str());
        }
        let (young, old) = self.rows.split_at_checked(self.next as usize).unwrap_or_default();
        let rows = old.as_flattened().iter().chain(young.as_flattened());
        input.flat_mut().iter_mut().zip(rows).for_each(|(input, value)| *input = *value);
    }

    /// Whether `T` rows have come.
    pub const fn is_full(&self) -> bool {
        self.filled as usize >= T
    }

    /// Forgets all rows, after a gap in the stream say.
    pub fn clear(&mut self) {
        self.rows.as_flattened_mut().fill(0.0);
        (self.next, self.filled, self.since) = (0, 0, 0);
    }
}

impl<const T: usize, const C: usize, const HOP: usize> Persist for Window<T, C, HOP> {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("Window");
        archive.finite(self.rows.as_flattened_mut());
        let [next, filled, since] =
            [&mut self.next, &mut self.filled, &mut self.since].map(|n| archive.u32(n) as usize);
        archive.require(next < T && filled <= T && since < HOP);
        archive.require(filled == T || (next == filled && since == 0));
    }
}

impl<const T: usize, const C: usize, const HOP: usize> Default for Window<T, C, HOP> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const T: usize, const C: usize, const HOP: usize> Zero for Window<T, C, HOP> {
    const ZERO: Self = Self::new();
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::stream::ValueError;

    /// The complete windows of `rows`, and those that the definition gives.
    fn check<const T: usize, const HOP: usize>() {
        let rows: Vec<[f32; 2]> = (0..50_u8).map(|i| [f32::from(i), -f32::from(i)]).collect();
        let mut window = Window::<T, 2, HOP>::new();
        let mut complete = Vec::new();
        for row in &rows {
            if window.push(row).unwrap() {
                let mut input = [[0.0; 2]; T];
                window.write(&mut input);
                complete.push(input.to_vec());
            }
        }
        let wanted: Vec<_> = rows.windows(T).step_by(HOP).map(<[_]>::to_vec).collect();
        assert_eq!(complete, wanted, "{T} rows, hop {HOP}");
    }

    #[test]
    fn windows_overlap_touch_or_leave_rows_out() {
        check::<1, 1>();
        check::<5, 1>();
        check::<5, 3>();
        check::<5, 5>();
        check::<5, 8>();
        check::<50, 1>();
    }

    #[test]
    fn before_it_is_full_zeros_stand_in_front() {
        let mut window = Window::<3, 1, 1>::new();
        assert_eq!(window.push(&[1.0]), Ok(false));
        assert_eq!(window.push(&[2.0]), Ok(false));
        let mut input = [9.0; 3];
        window.write(&mut input);
        assert_eq!(input, [0.0, 1.0, 2.0]);
        assert!(!window.is_full());
    }

    #[test]
    fn a_row_that_is_not_finite_is_as_if_it_had_not_come() {
        let mut window = Window::<2, 2, 1>::new();
        window.push(&[1.0, 2.0]).unwrap();
        let before = window;
        assert_eq!(window.push(&[1.0, f32::NAN]), Err(SampleError { index: 1, error: ValueError::NotFinite }));
        assert_eq!(window, before);
    }

    #[test]
    fn cleared_it_starts_afresh() {
        let mut window = Window::<2, 1, 2>::new();
        for x in [1.0, 2.0, 3.0] {
            window.push(&[x]).unwrap();
        }
        window.clear();
        assert_eq!(window, Window::new());
    }
}
