//! Normalisation. A tensor is seen as positions of `channels` elements.
//!
//! All sums run over positions, then channels, rising. Mean first, then the variance around it, so that a large offset costs no
//! accuracy; variances are over n, not n - 1. Backward computes both again from the input, which stays.

use crate::kernel::elementwise;
use crate::layer::InputGradient;
use crate::math;

/// Some channels of all positions.
#[derive(Debug, Clone, Copy)]
struct Group {
    channels: usize,
    first: usize,
    width: usize,
}

impl Group {
    /// The group's elements in each position, with their channels' places.
    fn rows<'x>(&self, x: &'x [f32]) -> impl Iterator<Item = &'x [f32]> {
        let Self { first, width, channels } = *self;
        x.chunks_exact(channels.max(1)).map(move |x| x.get(first..).and_then(|x| x.get(..width)).unwrap_or_default())
    }

    fn rows_mut<'x>(&self, x: &'x mut [f32]) -> impl Iterator<Item = &'x mut [f32]> {
        let Self { first, width, channels } = *self;
        let part = move |x: &'x mut [f32]| x.get_mut(first..).and_then(|x| x.get_mut(..width)).unwrap_or_default();
        x.chunks_exact_mut(channels.max(1)).map(part)
    }

    /// The group's part of what there is for each channel.
    fn part<'x>(&self, values: &'x [f32]) -> &'x [f32] {
        values.get(self.first..).and_then(|values| values.get(..self.width)).unwrap_or_default()
    }

    fn part_mut<'x>(&self, values: &'x mut [f32]) -> &'x mut [f32] {
        values.get_mut(self.first..).and_then(|values| values.get_mut(..self.width)).unwrap_or_default()
    }

    /// The number of elements.
    fn len(&self, x: &[f32]) -> f32 {
        (x.len() / self.channels.max(1) * self.width) as f32
    }

    /// Mean, and one over the standard deviation.
    fn statistics(&self, x: &[f32], epsilon: f32) -> (f32, f32) {
        let len = self.len(x);
        let mean = self.rows(x).flatten().fold(0.0, |sum, x| sum + x) / len;
        let squares = self.rows(x).flatten().fold(0.0, |sum, x| sum + (x - mean) * (x - mean));
        (mean, 1.0 / math::sqrt(squares / len + epsilon))
    }
}

/// All groups of so many channels.
fn groups(channels: usize, groups: usize) -> impl Iterator<Item = Group> {
    let width = channels / groups.max(1);
    (0..groups).map(move |group| Group { channels, first: group * width, width })
}

/// y = (x - mean) / deviation weight + bias, with mean and deviation of each group.
pub(crate) fn forward(x: &[f32], y: &mut [f32], weight: &[f32], bias: &[f32], count: usize, epsilon: f32) {
    for group in groups(weight.len(), count) {
        let (mean, inverse) = group.statistics(x, epsilon);
        for (x, y) in group.rows(x).zip(group.rows_mut(y)) {
            for (((x, y), w), b) in x.iter().zip(y).zip(group.part(weight)).zip(group.part(bias)) {
                *y = (x - mean) * inverse * w + b;
            }
        }
    }
}

/// Adds the gradients of weight and bias, if they learn, and leaves dL/dx in `x` as far as `want` asks.
pub(crate) fn backward(
    x: &mut [f32],
    dy: &[f32],
    weight: &[f32],
    mut learned: Option<(&mut [f32], &mut [f32])>,
    count: usize,
    epsilon: f32,
    want: InputGradient,
) {
    for group in groups(weight.len(), count) {
        let (mean, inverse) = group.statistics(x, epsilon);
        let (mut sum, mut product) = (0.0, 0.0);
        for (x, dy) in group.rows(x).zip(group.rows(dy)) {
            for ((x, dy), w) in x.iter().zip(dy).zip(group.part(weight)) {
                sum += dy * w;
                product += dy * w * ((x - mean) * inverse);
            }
        }
        if let Some((weight_gradient, bias_gradient)) = &mut learned {
            for (x, dy) in group.rows(x).zip(group.rows(dy)) {
                let gradients = group.part_mut(weight_gradient).iter_mut().zip(group.part_mut(bias_gradient));
                for ((x, dy), (gw, gb)) in x.iter().zip(dy).zip(gradients) {
                    *gw += dy * ((x - mean) * inverse);
                    *gb += dy;
                }
            }
        }
        if want == InputGradient::Unused {
            continue;
        }
        let len = group.len(x);
        let (sum, product) = (sum / len, product / len);
        for (x, dy) in group.rows_mut(x).zip(group.rows(dy)) {
            for ((x, dy), w) in x.iter_mut().zip(dy).zip(group.part(weight)) {
                let normal = (*x - mean) * inverse;
                elementwise::replace(x, inverse * (dy * w - sum - normal * product), want);
            }
        }
    }
}

/// One over the root of the mean square.
fn inverse_root_mean_square(x: &[f32], epsilon: f32) -> f32 {
    let squares = x.iter().fold(0.0, |sum, x| sum + x * x);
    1.0 / math::sqrt(squares / x.len() as f32 + epsilon)
}

/// y = x / rms(x) weight, for one position.
pub(crate) fn rms_forward(x: &[f32], y: &mut [f32], weight: &[f32], epsilon: f32) {
    let inverse = inverse_root_mean_square(x, epsilon);
    x.iter().zip(y).zip(weight).for_each(|((x, y), w)| *y = x * inverse * w);
}

/// The same as [`backward`], for one position.
pub(crate) fn rms_backward(
    x: &mut [f32],
    dy: &[f32],
    weight: &[f32],
    learned: Option<&mut [f32]>,
    epsilon: f32,
    want: InputGradient,
) {
    let inverse = inverse_root_mean_square(x, epsilon);
    let mut product = 0.0;
    for ((x, dy), w) in x.iter().zip(dy).zip(weight) {
        product += dy * w * (x * inverse);
    }
    if let Some(gradient) = learned {
        for ((x, dy), gradient) in x.iter().zip(dy).zip(gradient) {
            *gradient += dy * (x * inverse);
        }
    }
    if want == InputGradient::Unused {
        return;
    }
    let product = product / x.len() as f32;
    for ((x, dy), w) in x.iter_mut().zip(dy).zip(weight) {
        let normal = *x * inverse;
        elementwise::replace(x, inverse * (dy * w - normal * product), want);
    }
}

/// One channel of batch normalisation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Channel {
    pub(crate) weight: f32,
    pub(crate) bias: f32,
    pub(crate) mean: f32,
    pub(crate) variance: f32,
}

impl Channel {
    /// One over the standard deviation.
    pub(crate) fn inverse(self, epsilon: f32) -> f32 {
        1.0 / math::sqrt(self.variance + epsilon)
    }

    /// y = (x - mean) / deviation weight + bias, for every `step`th element from the first on.
    pub(crate) fn forward(self, x: &[f32], y: &mut [f32], step: usize, epsilon: f32) {
        let inverse = self.inverse(epsilon);
        for (x, y) in x.iter().zip(y).step_by(step.max(1)) {
            *y = (x - self.mean) * inverse * self.weight + self.bias;
        }
    }

    /// The gradients of weight and bias.
    pub(crate) fn gradients(self, x: &[f32], dy: &[f32], step: usize, epsilon: f32) -> (f32, f32) {
        let inverse = self.inverse(epsilon);
        let (mut weight, mut bias) = (0.0, 0.0);
        for (x, dy) in x.iter().zip(dy).step_by(step.max(1)) {
            weight += dy * ((x - self.mean) * inverse);
            bias += dy;
        }
        (weight, bias)
    }

    /// The mean of the sample, and its mean squared distance from the running mean.
    pub(crate) fn statistics(self, x: &[f32], step: usize) -> (f32, f32) {
        let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
        for x in x.iter().step_by(step.max(1)) {
            sum += x;
            squares += (x - self.mean) * (x - self.mean);
            count += 1.0;
        }
        (sum / count, squares / count)
    }

    /// Leaves dL/dx in `x` as far as `want` asks.
    pub(crate) fn input_gradient(self, x: &mut [f32], dy: &[f32], step: usize, epsilon: f32, want: InputGradient) {
        let scale = self.weight * self.inverse(epsilon);
        for (x, dy) in x.iter_mut().zip(dy).step_by(step.max(1)) {
            elementwise::replace(x, dy * scale, want);
        }
    }
}
