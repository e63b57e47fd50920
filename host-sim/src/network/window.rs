//! The geometry of convolutions and pools.

use std::fmt;

/// What is added around an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// Nothing.
    Valid,
    /// So much that the output is `input / stride`, rounded up, the odd one behind: Keras's and TFLite's `same`.
    Same,
    /// Zeros before and behind, for rows and columns.
    Explicit {
        /// Above and to the left; before a signal.
        before: [usize; 2],
        /// Below and to the right; behind a signal.
        after: [usize; 2],
    },
}

/// What a kernel sees: kernel, stride and dilation for rows and columns. Of a signal, the first of each counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Elements of the kernel.
    pub kernel: [usize; 2],
    /// From one output to the next.
    pub stride: [usize; 2],
    /// From one element of the kernel to the next.
    pub dilation: [usize; 2],
    /// What is added around the input.
    pub padding: Padding,
}

impl Window {
    /// A kernel of this size for each axis, with stride and dilation 1 and no padding.
    #[must_use]
    pub const fn new(kernel: [usize; 2]) -> Self {
        Self { kernel, stride: [1; 2], dilation: [1; 2], padding: Padding::Valid }
    }

    /// The lengths of the output's positions.
    ///
    /// # Errors
    /// What does not fit.
    pub(crate) fn output(&self, positions: &[usize]) -> Result<Vec<usize>, String> {
        positions.iter().enumerate().map(|(axis, input)| self.along(axis, *input)).collect()
    }

    fn along(&self, axis: usize, input: usize) -> Result<usize, String> {
        let (stride, span) = (self.stride[axis], self.span(axis)?);
        if let Padding::Same = self.padding {
            return Ok(input.div_ceil(stride));
        }
        let (before, after) = self.explicit(axis);
        let padded = input + before + after;
        if padded < span {
            return Err(format!("the kernel spans {span}, but its input has {padded} with padding: make it smaller"));
        }
        Ok((padded - span) / stride + 1)
    }

    /// How many inputs the kernel spans.
    fn span(&self, axis: usize) -> Result<usize, String> {
        let (kernel, dilation) = (self.kernel[axis], self.dilation[axis]);
        if kernel == 0 || dilation == 0 || self.stride[axis] == 0 {
            return Err("kernel, stride and dilation must be at least 1".into());
        }
        let span = (kernel - 1).checked_mul(dilation).and_then(|reach| reach.checked_add(1));
        span.filter(|span| *span < 1 << 24).ok_or_else(|| "the kernel is too large".into())
    }

    fn explicit(&self, axis: usize) -> (usize, usize) {
        match self.padding {
            Padding::Explicit { before, after } => (before[axis], after[axis]),
            Padding::Valid | Padding::Same => (0, 0),
        }
    }

    /// The padding before an axis with these lengths.
    #[must_use]
    pub fn before(&self, axis: usize, input: usize, output: usize) -> usize {
        match self.padding {
            Padding::Same => self.total(axis, input, output) / 2,
            Padding::Valid | Padding::Explicit { .. } => self.explicit(axis).0,
        }
    }

    /// The padding behind it.
    #[must_use]
    pub fn after(&self, axis: usize, input: usize, output: usize) -> usize {
        match self.padding {
            Padding::Same => self.total(axis, input, output).div_ceil(2),
            Padding::Valid | Padding::Explicit { .. } => self.explicit(axis).1,
        }
    }

    fn reach(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    fn total(&self, axis: usize, input: usize, output: usize) -> usize {
        ((output - 1) * self.stride[axis] + self.reach(axis)).saturating_sub(input)
    }

    /// The padding before an axis that the learner takes from the two lengths; `None` if they imply none.
    pub(crate) fn implied(&self, axis: usize, input: usize, output: usize) -> Option<usize> {
        let (stride, span) = (self.stride[axis], self.reach(axis));
        let valid = if input < span { 0 } else { (input - span) / stride + 1 };
        let total = self.total(axis, input, output);
        if output == valid {
            return Some(0);
        }
        if output == input.div_ceil(stride) {
            return Some(total / 2);
        }
        let before = total.div_ceil(2);
        (total > 0 && before < span && 2 * before - total < stride).then_some(before)
    }
}

/// The arguments behind the outputs: `5`, `3x1,2`, `3,padding=same`.
pub(crate) struct Arguments<'a> {
    pub(crate) window: &'a Window,
    /// The stride that is left out.
    pub(crate) usual_stride: [usize; 2],
}

impl fmt::Display for Arguments<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size =
            |[rows, columns]: [usize; 2]| if rows == columns { rows.to_string() } else { format!("{rows}x{columns}") };
        let Window { kernel, stride, dilation, padding } = *self.window;
        write!(f, "{}", size(kernel))?;
        if stride != self.usual_stride {
            write!(f, ",{}", size(stride))?;
        }
        if dilation != [1; 2] {
            write!(f, ",dilation={}", size(dilation))?;
        }
        match padding {
            Padding::Valid => Ok(()),
            Padding::Same => f.write_str(",padding=same"),
            Padding::Explicit { before, after } if before == after => write!(f, ",padding={}", size(before)),
            Padding::Explicit { before, after } => write!(f, ",padding={}:{}", size(before), size(after)),
        }
    }
}
