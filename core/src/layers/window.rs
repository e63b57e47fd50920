//! Windows that move over a signal or an image.

use crate::kernel::conv::{Axis, Geometry};
use crate::layers::padding::{self, Declared};
use crate::message::Message;

/// One axis of a window and what its output is declared to be.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) size: usize,
    pub(crate) stride: usize,
}

/// The axis of a signal that an image has beside its time.
pub(crate) const ONE: Window = Window { input: 1, output: 1, size: 1, stride: 1 };

impl Window {
    /// How many windows fit.
    const fn fitting(self) -> usize {
        if self.input < self.size { 0 } else { (self.input - self.size) / self.stride + 1 }
    }

    const fn axis(self) -> Axis {
        let Self { input, output, size, stride } = self;
        Axis { input, output, kernel: size, stride, dilation: 1, before: 0 }
    }
}

impl Window {
    /// The axis, to be padded as a convolution's.
    pub(crate) const fn padded(self) -> Declared {
        let Self { input, output, size, stride } = self;
        Declared { input, output, kernel: size, stride, dilation: 1 }
    }
}

/// Refuses shapes that imply no padding.
pub(crate) const fn check_padded(name: &str, axes: &[Window]) {
    match axes {
        [axis] => padding::check(name, &[axis.padded()]),
        [rows, columns, ..] => padding::check(name, &[rows.padded(), columns.padded()]),
        [] => {}
    }
}

/// The shapes of a pool without padding.
pub(crate) const fn geometry(rows: Window, columns: Window, channels: usize) -> Geometry {
    Geometry { rows: rows.axis(), columns: columns.axis(), inputs: channels, outputs: channels }
}

/// Refuses a window that does not fit and an output that does not follow.
pub(crate) const fn check(name: &str, axes: &[Window]) {
    let (mut sizes, mut inputs, mut outputs, mut fitting) = ([0; 2], [0; 2], [0; 2], [0; 2]);
    let (mut fits, mut follows) = (true, true);
    let mut i = 0;
    while i < axes.len() {
        let axis = axes[i];
        if axis.size == 0 || axis.stride == 0 {
            let message = Message::new(name).text(": window and stride must be at least 1");
            panic!("{}", message.as_str());
        }
        (sizes[i], inputs[i], outputs[i], fitting[i]) = (axis.size, axis.input, axis.output, axis.fitting());
        fits = fits && fitting[i] > 0;
        follows = follows && fitting[i] == outputs[i];
        i += 1;
    }
    let message = Message::new(name).text(": a ").shape(sizes.split_at(i).0).text(" window ");
    if !fits {
        let message = message.text("does not fit an input of ").shape(inputs.split_at(i).0);
        panic!("{}", message.as_str());
    }
    let message = message.text("turns ").shape(inputs.split_at(i).0).text(" into ").shape(fitting.split_at(i).0);
    let message = message.text(", but the output is declared ").shape(outputs.split_at(i).0);
    assert!(follows, "{}", message.as_str());
}

/// Implements `new`, `Default`, copies and debugging for a layer whose only settings are in its type:
/// `typed!(MaxPool<Y, const K: usize>, "MaxPool<{K}>", "MaxPool<{}>", K)`.
macro_rules! typed {
    ([$($generics:tt)*] $layer:ty, $name:literal) => {
        impl<$($generics)*> $layer {
            /// The layer; it has no settings beyond its type.
            pub const fn new() -> Self {
                Self(PhantomData)
            }
        }

        impl<$($generics)*> Default for $layer {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<$($generics)*> Clone for $layer {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($generics)*> Copy for $layer {}

        impl<$($generics)*> fmt::Debug for $layer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($name)
            }
        }

        #[cfg(feature = "defmt")]
        impl<$($generics)*> defmt::Format for $layer {
            fn format(&self, f: defmt::Formatter<'_>) {
                defmt::write!(f, $name);
            }
        }
    };
}

pub(crate) use typed;
