//! The padding that an input's and an output's shape imply.

use crate::inference::max;
use crate::kernel::conv::Axis;
use crate::message::Message;

/// What an axis of a convolution is declared to be.
#[derive(Clone, Copy)]
pub(crate) struct Declared {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) dilation: usize,
}

impl Declared {
    /// How many inputs the kernel spans.
    const fn span(self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }

    /// The output without padding; 0 if the kernel does not fit.
    const fn valid(self) -> usize {
        if self.input < self.span() { 0 } else { (self.input - self.span()) / self.stride + 1 }
    }

    /// The output with padding that keeps the size, but for the stride.
    const fn same(self) -> usize {
        self.input.div_ceil(self.stride)
    }

    /// How many elements of padding the last kernel reaches over, both sides together.
    const fn total(self) -> usize {
        let needed = (self.output - 1) * self.stride + self.span();
        needed.saturating_sub(self.input)
    }

    /// The padding before the input, if the shapes imply any.
    const fn before(self) -> Option<usize> {
        if self.kernel == 0 || self.stride == 0 || self.dilation == 0 || self.output == 0 || self.input == 0 {
            return None;
        }
        if self.output == self.valid() {
            return Some(0);
        }
        if self.output == self.same() {
            return Some(self.total() / 2);
        }
        let before = self.total().div_ceil(2);
        let reaches_over = self.input + 2 * before - self.total() - self.input;
        if self.total() > 0 && before < self.span() && reaches_over < self.stride { Some(before) } else { None }
    }

    /// The axis; refused by the compiler beforehand if nothing is implied.
    pub(crate) const fn axis(self) -> Axis {
        let before = match self.before() {
            Some(before) => before,
            None => 0,
        };
        let Self { input, output, kernel, stride, dilation } = self;
        Axis { input, output, kernel, stride, dilation, before }
    }
}

/// Refuses shapes that imply no padding, and says which would.
pub(crate) const fn check(name: &str, axes: &[Declared]) {
    let (mut fits, mut zero, mut strided, mut dilated) = (true, false, false, false);
    let mut i = 0;
    while i < axes.len() {
        fits = fits && axes[i].before().is_some();
        zero = zero || axes[i].kernel == 0 || axes[i].stride == 0 || axes[i].dilation == 0;
        strided = strided || axes[i].stride != 1;
        dilated = dilated || axes[i].dilation != 1;
        i += 1;
    }
    if zero {
        let message = Message::new(name).text(": kernel, stride and dilation must be at least 1");
        panic!("{}", message.as_str());
    }
    let mut message = Message::new(name).text(": a ");
    message = shape(message, axes, Of::Kernel).text(" kernel");
    if strided {
        message = shape(message.text(" with stride "), axes, Of::Stride);
    }
    if dilated {
        message = shape(message.text(" with dilation "), axes, Of::Dilation);
    }
    message = shape(message.text(" turns "), axes, Of::Input);
    message = message.text(" into ");
    let mut possible = true;
    let mut i = 0;
    while i < axes.len() {
        possible = possible && axes[i].valid() > 0;
        i += 1;
    }
    if possible {
        message = shape(message, axes, Of::Valid).text(", or with padding into ");
    }
    message = shape(message, axes, Of::Same);
    if !possible {
        message = message.text(" with padding");
    }
    message = shape(message.text(", but the output is declared "), axes, Of::Output);
    assert!(fits, "{}", message.as_str());
}

/// What of each axis a message names.
#[derive(Clone, Copy)]
enum Of {
    Kernel,
    Stride,
    Dilation,
    Input,
    Output,
    Valid,
    Same,
}

const fn shape(message: Message, axes: &[Declared], of: Of) -> Message {
    let mut sizes = [0; 2];
    let mut i = 0;
    while i < axes.len() && i < sizes.len() {
        let axis = axes[i];
        sizes[i] = match of {
            Of::Kernel => axis.kernel,
            Of::Stride => axis.stride,
            Of::Dilation => axis.dilation,
            Of::Input => axis.input,
            Of::Output => axis.output,
            Of::Valid => axis.valid(),
            Of::Same => max(axis.same(), 1),
        };
        i += 1;
    }
    message.shape(sizes.split_at(i).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(input: usize, output: usize, kernel: usize, stride: usize, dilation: usize) -> Option<usize> {
        Declared { input, output, kernel, stride, dilation }.before()
    }

    #[test]
    fn padding_follows_from_the_shapes() {
        // Without padding; a rest shorter than the stride is left out.
        assert_eq!(before(8, 6, 3, 1, 1), Some(0));
        assert_eq!(before(8, 3, 3, 2, 1), Some(0));
        assert_eq!(before(5, 1, 5, 3, 1), Some(0));
        assert_eq!(before(9, 5, 3, 1, 2), Some(0));
        // The same size, as Keras and TFLite pad: the odd one after.
        assert_eq!(before(8, 8, 3, 1, 1), Some(1));
        assert_eq!(before(8, 4, 3, 2, 1), Some(0));
        assert_eq!(before(7, 4, 3, 2, 1), Some(1));
        assert_eq!(before(8, 8, 4, 1, 1), Some(1));
        assert_eq!(before(25, 25, 10, 2, 1), None);
        assert_eq!(before(49, 25, 10, 2, 1), Some(4));
        assert_eq!(before(9, 9, 3, 1, 2), Some(2));
        assert_eq!(before(2, 2, 5, 1, 1), Some(2));
        // Padding on both sides alike, as PyTorch pads.
        assert_eq!(before(8, 10, 3, 1, 1), Some(2));
        assert_eq!(before(8, 3, 5, 2, 1), Some(1));
        assert_eq!(before(4, 5, 2, 1, 1), Some(1));
        // Nothing implied.
        assert_eq!(before(8, 7, 3, 1, 1), None);
        assert_eq!(before(8, 12, 3, 1, 1), None);
        assert_eq!(before(8, 5, 3, 2, 1), Some(2));
        assert_eq!(before(8, 0, 3, 1, 1), None);
        assert_eq!(before(8, 8, 0, 1, 1), None);
    }
}
