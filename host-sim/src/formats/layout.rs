//! How a framework stores an array of which the learner has the values in another order.

/// A framework's array: the learner's, seen with axes `view`, which are then put in the order `order`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    view: Vec<usize>,
    order: Vec<usize>,
    /// An axis along which the framework has the learner's elements in another order, and which of them each is.
    gates: Option<(usize, &'static [usize])>,
    /// The framework's shape.
    pub(crate) shape: Vec<usize>,
}

impl Layout {
    /// The learner's array with its axes in another order: `order` says which of them each of the framework's is.
    pub(crate) fn transposed(axes: &[usize], order: &[usize]) -> Self {
        let shape = order.iter().filter_map(|axis| axes.get(*axis).copied()).collect();
        Self { view: axes.to_vec(), order: order.to_vec(), gates: None, shape }
    }

    /// The learner's array as it is.
    pub(crate) fn straight(axes: &[usize]) -> Self {
        Self::transposed(axes, &(0..axes.len()).collect::<Vec<_>>())
    }

    /// The same values with another shape.
    pub(crate) fn shaped(self, shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), ..self }
    }

    /// With the elements along an axis of the learner's in another order.
    pub(crate) fn gates(self, axis: usize, gates: &'static [usize]) -> Self {
        Self { gates: Some((axis, gates)), ..self }
    }

    /// For each value of the framework's array, in its order, the place among the learner's.
    fn places(&self) -> Vec<usize> {
        let mut places = vec![0];
        for axis in &self.order {
            let stride: usize = self.view.iter().skip(axis + 1).product();
            let gate = |index: usize| match self.gates {
                Some((gated, gates)) if gated == *axis => gates.get(index).copied().unwrap_or(index),
                _ => index,
            };
            let steps: Vec<_> = (0..self.view[*axis]).map(|index| gate(index) * stride).collect();
            places = places.iter().flat_map(|place| steps.iter().map(move |step| place + step)).collect();
        }
        places
    }

    /// The learner's values of a framework's.
    pub(crate) fn read(&self, values: &[f32]) -> Vec<f32> {
        let mut read = vec![0.0; values.len()];
        for (value, place) in values.iter().zip(self.places()) {
            read[place] = *value;
        }
        read
    }

    /// The framework's values of the learner's.
    pub(crate) fn write(&self, values: &[f32]) -> Vec<f32> {
        self.places().into_iter().map(|place| values[place]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_permuted_both_ways() {
        let layout = Layout::transposed(&[2, 3, 4], &[2, 0, 1]);
        assert_eq!(layout.shape, [4, 2, 3]);
        let ours: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let theirs = layout.write(&ours);
        // theirs[c][a][b] = ours[a][b][c].
        assert_eq!(theirs[..6], [0.0, 4.0, 8.0, 12.0, 16.0, 20.0]);
        assert_eq!(theirs[6..8], [1.0, 5.0]);
        assert_eq!(layout.read(&theirs), ours);
    }

    #[test]
    fn gates_are_exchanged_both_ways() {
        let layout = Layout::straight(&[3, 2]).gates(0, &[1, 0, 2]);
        let ours = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(layout.write(&ours), [2.0, 3.0, 0.0, 1.0, 4.0, 5.0]);
        assert_eq!(layout.read(&layout.write(&ours)), ours);
    }
}
