//! Tensors: nested arrays of `f32`, seen flat without `unsafe`.

/// A tensor of one axis: `N` values.
pub type Vector<const N: usize> = [f32; N];
/// A sequence of `T` time steps with `C` channels each, `[time][channel]`.
pub type Signal<const T: usize, const C: usize> = [[f32; C]; T];
/// An image of `H` rows, `W` columns and `C` channels, `[row][column][channel]`.
pub type Image<const H: usize, const W: usize, const C: usize> = [[[f32; C]; W]; H];

/// A value that is all zero bits, so that a static made of it lies in `.bss`.
pub trait Zero: Sized {
    /// The value whose every number is `0`.
    const ZERO: Self;
}

impl Zero for f32 {
    const ZERO: Self = 0.0;
}

impl Zero for u32 {
    const ZERO: Self = 0;
}

impl Zero for u8 {
    const ZERO: Self = 0;
}

impl Zero for u16 {
    const ZERO: Self = 0;
}

impl Zero for usize {
    const ZERO: Self = 0;
}

impl Zero for () {
    const ZERO: Self = ();
}

impl<T: Zero, const N: usize> Zero for [T; N] {
    const ZERO: Self = [T::ZERO; N];
}

/// A fixed-size block of `f32` of any rank: `f32` itself, `[f32; N]`, `[[f32; C]; T]`, and so on.
///
/// The elements are stored row by row (the last axis runs fastest), which is what [`flat`](Tensor::flat) shows.
///
/// ```
/// use backpass::Tensor;
/// let image = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
/// assert_eq!(image.flat(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// assert_eq!(image.argmax(), 5);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tensor",
    label = "expected `f32` or nested arrays of it, such as `[f32; 64]` or `[[f32; 3]; 100]`"
)]
pub trait Tensor: Zero + Copy + 'static {
    /// The number of elements.
    const LEN: usize;
    /// The length of the last axis: the channels of a signal or an image, the elements of a vector.
    const CHANNELS: usize;
    /// One value a channel, `[f32; CHANNELS]`: what a layer learns for each channel.
    type Channels: Tensor;
    /// What an array of `N` such tensors has as its last axis.
    type LastAxis<const N: usize>: Tensor;

    /// Calls `visitor` with the length of each axis, from the first to the last; not at all for `f32`.
    fn axes(visitor: &mut dyn FnMut(usize));

    /// The elements of a row of tensors, in storage order.
    fn flatten(row: &[Self]) -> &[f32];

    /// The elements of a row of tensors, in storage order, to be changed.
    fn flatten_mut(row: &mut [Self]) -> &mut [f32];

    /// The tensors whose elements lie one after another in `flat`; what is left over at its end belongs to none.
    fn unflatten(flat: &mut [f32]) -> &mut [Self];

    /// All elements in storage order.
    fn flat(&self) -> &[f32] {
        Self::flatten(core::slice::from_ref(self))
    }

    /// All elements in storage order, to be changed.
    fn flat_mut(&mut self) -> &mut [f32] {
        Self::flatten_mut(core::slice::from_mut(self))
    }

    /// The position of the largest element in storage order; of equals, the first. NaN is never the largest.
    ///
    /// Applied to the logits of a classifier it is the predicted class.
    fn argmax(&self) -> usize {
        let mut best = (0, f32::NEG_INFINITY);
        for (index, &value) in self.flat().iter().enumerate() {
            if value > best.1 {
                best = (index, value);
            }
        }
        best.0
    }
}

impl Tensor for f32 {
    const LEN: usize = 1;
    const CHANNELS: usize = 1;
    type Channels = Self;
    type LastAxis<const N: usize> = [Self; N];

    fn axes(_: &mut dyn FnMut(usize)) {}

    fn flatten(row: &[Self]) -> &[f32] {
        row
    }

    fn flatten_mut(row: &mut [Self]) -> &mut [f32] {
        row
    }

    fn unflatten(flat: &mut [f32]) -> &mut [Self] {
        flat
    }
}

impl<T: Tensor, const N: usize> Tensor for [T; N] {
    const LEN: usize = N * T::LEN;
    const CHANNELS: usize = <T::LastAxis<N> as Tensor>::LEN;
    type Channels = T::LastAxis<N>;
    type LastAxis<const M: usize> = T::LastAxis<N>;

    fn axes(visitor: &mut dyn FnMut(usize)) {
        visitor(N);
        T::axes(visitor);
    }

    fn flatten(row: &[Self]) -> &[f32] {
        T::flatten(row.as_flattened())
    }

    fn flatten_mut(row: &mut [Self]) -> &mut [f32] {
        T::flatten_mut(row.as_flattened_mut())
    }

    fn unflatten(flat: &mut [f32]) -> &mut [Self] {
        T::unflatten(flat).as_chunks_mut().0
    }
}

/// The same elements in storage order as a tensor of another shape, without a copy. Refused by the compiler if the numbers
/// of elements differ.
pub(crate) fn reshape<X: Tensor, Y: Tensor>(x: &mut X) -> &mut Y {
    const { assert!(X::LEN == Y::LEN, "the number of elements is not that of the input") };
    first(x.flat_mut())
}

/// The tensor that `flat` begins with. The caller has made sure that it is long enough.
pub(crate) fn first<Y: Tensor>(flat: &mut [f32]) -> &mut Y {
    match Y::unflatten(flat).first_mut() {
        Some(y) => y,
        // Never taken, if the lengths were compared. Without a panic path there is nothing to say.
        None => loop {
            core::hint::spin_loop();
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_arrays_are_seen_in_storage_order() {
        let mut image: Image<2, 3, 4> = Zero::ZERO;
        for (i, v) in image.flat_mut().iter_mut().enumerate() {
            *v = i as f32;
        }
        assert_eq!(image[1][2][3], 23.0);
        assert_eq!(image[1][0][0], 12.0);
        assert_eq!(<Image<2, 3, 4>>::LEN, image.flat().len());
    }

    #[test]
    fn channels_are_the_last_axis() {
        fn check<X: Tensor>(channels: usize) {
            assert_eq!((X::CHANNELS, <X::Channels as Tensor>::LEN), (channels, channels));
        }
        check::<f32>(1);
        check::<Vector<7>>(7);
        check::<Signal<5, 3>>(3);
        check::<Image<2, 3, 4>>(4);
    }

    #[test]
    fn a_flat_slice_is_seen_as_tensors_again() {
        let mut flat = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert_eq!(<Signal<3, 2>>::unflatten(&mut flat), [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]);
        assert!(<Signal<4, 2>>::unflatten(&mut flat).is_empty());
        assert_eq!(
            *reshape::<_, Image<1, 3, 2>>(&mut [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
            [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]
        );
    }

    #[test]
    fn argmax_takes_the_first_of_equals_and_passes_over_nan() {
        assert_eq!([1.0, 3.0, 3.0, 2.0].argmax(), 1);
        assert_eq!([f32::NAN, -7.0, -5.0, f32::NAN].argmax(), 2);
        assert_eq!([f32::NAN; 3].argmax(), 0);
        assert_eq!([[0.5], [4.0]].argmax(), 1);
    }

    #[test]
    fn an_empty_tensor_has_no_elements() {
        let empty: Signal<0, 3> = Zero::ZERO;
        assert!(empty.flat().is_empty());
        assert_eq!(<Signal<0, 3>>::LEN, 0);
    }
}
