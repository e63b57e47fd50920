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

    /// The elements of a row of tensors, in storage order.
    fn flatten(row: &[Self]) -> &[f32];

    /// The elements of a row of tensors, in storage order, to be changed.
    fn flatten_mut(row: &mut [Self]) -> &mut [f32];

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

    fn flatten(row: &[Self]) -> &[f32] {
        row
    }

    fn flatten_mut(row: &mut [Self]) -> &mut [f32] {
        row
    }
}

impl<T: Tensor, const N: usize> Tensor for [T; N] {
    const LEN: usize = N * T::LEN;

    fn flatten(row: &[Self]) -> &[f32] {
        T::flatten(row.as_flattened())
    }

    fn flatten_mut(row: &mut [Self]) -> &mut [f32] {
        T::flatten_mut(row.as_flattened_mut())
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
