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

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::rng::Rng;

    const WANTS: [InputGradient; 4] =
        [InputGradient::Unused, InputGradient::Full, InputGradient::WhereActive, InputGradient::WhereBelow(1.0)];

    /// About a quarter zeros, as ReLU leaves them.
    fn random(n: usize, rng: &mut Rng) -> Vec<f32> {
        (0..n).map(|_| if rng.below(4) == 0 { 0.0 } else { rng.symmetric(2.0) }).collect()
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    /// What is left in place of `x` for its gradient.
    fn left(x: f32, dx: f32, want: InputGradient) -> f32 {
        match want {
            InputGradient::Unused => x,
            InputGradient::Full => dx,
            _ if x == 0.0 => x,
            _ => want.at(x, dx),
        }
    }

    /// The formulas of the page, element by element: positions, then the group's channels.
    #[test]
    fn groups_are_summed_in_the_documented_order() {
        let mut rng = Rng::new(2);
        for (positions, channels, count) in [(1, 1, 1), (1, 7, 1), (5, 4, 2), (3, 6, 3), (4, 3, 3), (6, 2, 1)] {
            let (x, dy) = (random(positions * channels, &mut rng), random(positions * channels, &mut rng));
            let (weight, bias) = (random(channels, &mut rng), random(channels, &mut rng));
            let width = channels / count;
            let mut expected_y = vec![0.0; x.len()];
            let (mut expected_gw, mut expected_gb) = (vec![0.5; channels], vec![0.25; channels]);
            let mut expected_dx = vec![0.0; x.len()];
            for group in 0..count {
                let members = |i: &usize| i % channels / width == group;
                let members: Vec<usize> = (0..x.len()).filter(members).collect();
                let len = members.len() as f32;
                let (mut mean, mut squares) = (0.0, 0.0);
                members.iter().for_each(|&i| mean += x[i]);
                mean /= len;
                members.iter().for_each(|&i| squares += (x[i] - mean) * (x[i] - mean));
                let inverse = 1.0 / math::sqrt(squares / len + 1e-3);
                let normal = |i: usize| (x[i] - mean) * inverse;
                let (mut sum, mut product) = (0.0, 0.0);
                for &i in &members {
                    let channel = i % channels;
                    expected_y[i] = normal(i) * weight[channel] + bias[channel];
                    sum += dy[i] * weight[channel];
                    product += dy[i] * weight[channel] * normal(i);
                    expected_gw[channel] += dy[i] * normal(i);
                    expected_gb[channel] += dy[i];
                }
                for &i in &members {
                    let rest = dy[i] * weight[i % channels] - sum / len - normal(i) * (product / len);
                    expected_dx[i] = inverse * rest;
                }
            }
            let mut y = vec![9.0; x.len()];
            forward(&x, &mut y, &weight, &bias, count, 1e-3);
            assert_eq!(bits(&y), bits(&expected_y));
            for want in WANTS {
                let mut dx = x.clone();
                let (mut gw, mut gb) = (vec![0.5; channels], vec![0.25; channels]);
                backward(&mut dx, &dy, &weight, Some((&mut gw, &mut gb)), count, 1e-3, want);
                assert_eq!((bits(&gw), bits(&gb)), (bits(&expected_gw), bits(&expected_gb)));
                let expected: Vec<f32> = x.iter().zip(&expected_dx).map(|(x, dx)| left(*x, *dx, want)).collect();
                assert_eq!(bits(&dx), bits(&expected), "{positions} by {channels} in {count}, {want:?}");
                let mut frozen = x.clone();
                backward(&mut frozen, &dy, &weight, None, count, 1e-3, want);
                assert_eq!(bits(&frozen), bits(&dx));
            }
        }
    }

    #[test]
    fn root_mean_squares_are_summed_in_rising_order() {
        let mut rng = Rng::new(3);
        for len in 1..12 {
            let (x, dy, weight) = (random(len, &mut rng), random(len, &mut rng), random(len, &mut rng));
            let mut squares = 0.0;
            x.iter().for_each(|x| squares += x * x);
            let inverse = 1.0 / math::sqrt(squares / len as f32 + 1e-3);
            let mut y = vec![9.0; len];
            rms_forward(&x, &mut y, &weight, 1e-3);
            let expected: Vec<f32> = (0..len).map(|i| x[i] * inverse * weight[i]).collect();
            assert_eq!(bits(&y), bits(&expected));
            let mut product = 0.0;
            (0..len).for_each(|i| product += dy[i] * weight[i] * (x[i] * inverse));
            let expected_gradient: Vec<f32> = (0..len).map(|i| 0.5 + dy[i] * (x[i] * inverse)).collect();
            for want in WANTS {
                let (mut dx, mut gradient) = (x.clone(), vec![0.5; len]);
                rms_backward(&mut dx, &dy, &weight, Some(&mut gradient), 1e-3, want);
                assert_eq!(bits(&gradient), bits(&expected_gradient));
                let at = |i: usize| inverse * (dy[i] * weight[i] - x[i] * inverse * (product / len as f32));
                let expected: Vec<f32> = (0..len).map(|i| left(x[i], at(i), want)).collect();
                assert_eq!(bits(&dx), bits(&expected), "{len}, {want:?}");
            }
        }
    }

    #[test]
    fn a_channel_is_every_stepth_element_in_rising_order() {
        let mut rng = Rng::new(4);
        let channel = Channel { weight: 0.75, bias: -0.5, mean: 0.25, variance: 1.5 };
        for (positions, channels) in [(1, 1), (5, 1), (4, 3), (7, 2)] {
            let (x, dy) = (random(positions * channels, &mut rng), random(positions * channels, &mut rng));
            for first in 0..channels {
                let inverse = 1.0 / math::sqrt(1.5 + 1e-3_f32);
                let (mut weight, mut bias, mut sum, mut squares) = (0.0, 0.0, 0.0, 0.0);
                let (mut expected_y, mut expected_dx) = (vec![9.0; x.len()], x.clone());
                for i in (first..x.len()).step_by(channels) {
                    expected_y[i] = (x[i] - 0.25) * inverse * 0.75 + -0.5;
                    weight += dy[i] * ((x[i] - 0.25) * inverse);
                    bias += dy[i];
                    sum += x[i];
                    squares += (x[i] - 0.25) * (x[i] - 0.25);
                    expected_dx[i] = dy[i] * (0.75 * inverse);
                }
                let mut y = vec![9.0; x.len()];
                channel.forward(&x[first..], &mut y[first..], channels, 1e-3);
                assert_eq!(bits(&y), bits(&expected_y));
                let (ours_weight, ours_bias) = channel.gradients(&x[first..], &dy[first..], channels, 1e-3);
                assert_eq!(bits(&[ours_weight, ours_bias]), bits(&[weight, bias]));
                let (mean, distance) = channel.statistics(&x[first..], channels);
                let count = positions as f32;
                assert_eq!(bits(&[mean, distance]), bits(&[sum / count, squares / count]));
                let mut dx = x.clone();
                channel.input_gradient(&mut dx[first..], &dy[first..], channels, 1e-3, InputGradient::Full);
                assert_eq!(bits(&dx), bits(&expected_dx));
            }
        }
    }
}
