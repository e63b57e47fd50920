//! Parameters: the arrays that a network learns, visited slice by slice under stable names.

use core::fmt;

use crate::tensor::{Tensor, Zero};

/// One part of a parameter's [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Stage(usize),
    Leaf(&'static str),
    Statistic(&'static str),
}

/// The name of one parameter slice, such as `0.weight` (first stage of the network) or `2.0.bias` (first stage of the
/// network that is the third stage).
///
/// Names depend on the network's type only, so they are the same on every board and in every build.
#[derive(Debug, Clone, Copy)]
pub struct Name<'a> {
    parent: Option<&'a Name<'a>>,
    part: Part,
    axes: fn(&mut dyn FnMut(usize)),
}

impl<'a> Name<'a> {
    /// The name of stage `index` within `parent`, or of a network's stage if there is no parent.
    pub const fn stage(parent: Option<&'a Self>, index: usize) -> Self {
        Self { parent, part: Part::Stage(index), axes: no_axes }
    }

    /// The same place, but stage `index`.
    pub(crate) const fn at_stage(&mut self, index: usize) -> &Self {
        self.part = Part::Stage(index);
        self
    }

    /// The name of a layer's own array, say `weight`, within the layer's name `parent`.
    pub const fn leaf(parent: Option<&'a Self>, name: &'static str) -> Self {
        Self { parent, part: Part::Leaf(name), axes: no_axes }
    }

    /// The name of a statistic within the layer's name `parent`: an array that the layer measures instead of learning it,
    /// such as a running mean. Its place among the gradients holds the sum of what each sample would add to it; an
    /// update adds the mean of that, whatever the optimizer.
    pub const fn statistic(parent: Option<&'a Self>, name: &'static str) -> Self {
        Self { parent, part: Part::Statistic(name), axes: no_axes }
    }

    /// With the shape of the array that has this name, such as `[[f32; 32]; 64]`.
    #[must_use]
    pub const fn of<T: Tensor>(self) -> Self {
        Self { axes: T::axes, ..self }
    }

    /// Calls `visitor` with the length of each axis of the array, from the first to the last; not at all if nobody has said its
    /// [shape](Self::of): [`Params::visit`] does, [`Params::visit_mut`] need not.
    pub fn axes(&self, visitor: &mut dyn FnMut(usize)) {
        (self.axes)(visitor);
    }

    /// The last part, such as `weight`; empty for a stage.
    pub const fn last(&self) -> &'static str {
        match self.part {
            Part::Stage(_) => "",
            Part::Leaf(name) | Part::Statistic(name) => name,
        }
    }

    /// Whether this is a [`statistic`](Self::statistic), which no optimizer steps.
    pub const fn is_statistic(&self) -> bool {
        matches!(self.part, Part::Statistic(_))
    }

    /// The index of the network's stage that this belongs to: the first part; `None` if the network is a single layer.
    pub fn first_stage(&self) -> Option<usize> {
        match (self.parent, self.part) {
            (Some(parent), _) => parent.first_stage(),
            (None, Part::Stage(index)) => Some(index),
            (None, Part::Leaf(_) | Part::Statistic(_)) => None,
        }
    }
}

fn no_axes(_: &mut dyn FnMut(usize)) {}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        match self.part {
            Part::Stage(index) => write!(f, "{index}"),
            Part::Leaf(name) | Part::Statistic(name) => f.write_str(name),
        }
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Name<'_> {
    fn format(&self, f: defmt::Formatter<'_>) {
        if let Some(parent) = self.parent {
            defmt::write!(f, "{}.", parent);
        }
        match self.part {
            Part::Stage(index) => defmt::write!(f, "{}", index),
            Part::Leaf(name) | Part::Statistic(name) => defmt::write!(f, "{=str}", name),
        }
    }
}

/// What a layer learns. Gradients and optimizer moments have the same type as the parameters they belong to.
///
/// A layer without parameters has `()`. A network's parameters are the tuple of its layers'.
///
/// ```
/// use backpass::{Dense, Layer, Params, Relu, Zero};
/// type Net = (Dense<32>, Relu, Dense<10>);
/// type P = <Net as Layer<[f32; 64]>>::Params;
/// assert_eq!(P::COUNT, 64 * 32 + 32 + 32 * 10 + 10);
///
/// let mut names = Vec::new();
/// P::ZERO.visit(None, &mut |name, values| names.push((name.to_string(), values.len())));
/// assert_eq!(names[0], ("0.weight".to_string(), 2048));
/// assert_eq!(names[3], ("2.bias".to_string(), 10));
/// ```
pub trait Params: Zero + 'static {
    /// The number of values.
    const COUNT: usize;

    /// The number of stages of the network whose parameters these are; a single layer is one.
    const STAGES: usize = 1;

    /// Calls `visitor` with each slice and its name, always in the same order. `parent` is the name of what holds these
    /// parameters: `None` for a whole network.
    fn visit(&self, parent: Option<&Name<'_>>, visitor: &mut dyn FnMut(Name<'_>, &[f32]));

    /// Calls `visitor` with each slice of several sets of parameters side by side, to be changed: one set to load weights;
    /// parameters, gradients and moments together for an optimizer.
    fn visit_mut<const SETS: usize>(
        sets: [&mut Self; SETS],
        parent: Option<&Name<'_>>,
        visitor: &mut dyn FnMut(Name<'_>, [&mut [f32]; SETS]),
    ) where
        Beside: Parts<SETS>;
}

/// Sets of parameters beside each other: see [`Parts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {}

/// How parts of several sets of parameters, 1 to 5, are borrowed together. Written out for each number, so that the code of each layer
/// has no loop over the sets.
///
/// ```
/// use backpass::params::{Beside, Parts};
/// let (mut a, mut b) = ((1, 2.0), (3, 4.0));
/// assert_eq!(Beside::parts(&mut [&mut a, &mut b], |set| &mut set.1), [&mut 2.0, &mut 4.0]);
/// ```
#[diagnostic::on_unimplemented(
    message = "{SETS} sets of parameters cannot be visited together",
    label = "expected 1 to 5"
)]
pub trait Parts<const SETS: usize> {
    /// A part of each set.
    fn parts<'s, T, U>(sets: &'s mut [&mut T; SETS], part: impl Fn(&'s mut T) -> U) -> [U; SETS];
}

/// Implements `Parts` for a number of sets: `parts!(2 a b)`.
macro_rules! parts {
    ($number:literal $($set:ident)+) => {
        impl Parts<$number> for Beside {
            #[inline(always)]
            fn parts<'s, T, U>(sets: &'s mut [&mut T; $number], part: impl Fn(&'s mut T) -> U) -> [U; $number] {
                let [$($set),+] = sets;
                [$(part($set)),+]
            }
        }
    };
}

parts!(1 a);
parts!(2 a b);
parts!(3 a b c);
parts!(4 a b c d);
parts!(5 a b c d e);

impl Params for () {
    const COUNT: usize = 0;

    fn visit(&self, _: Option<&Name<'_>>, _: &mut dyn FnMut(Name<'_>, &[f32])) {}

    fn visit_mut<const SETS: usize>(
        _: [&mut Self; SETS],
        _: Option<&Name<'_>>,
        _: &mut dyn FnMut(Name<'_>, [&mut [f32]; SETS]),
    ) where
        Beside: Parts<SETS>,
    {
    }
}

/// The parameters of a linear layer: a weight and a bias.
///
/// Without a bias, `B` is `[f32; 0]` and no slice of that name is visited.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Linear<W, B> {
    /// Input-major: `[in][out]` for a dense layer.
    pub weight: W,
    /// One value an output.
    pub bias: B,
}

impl<W: Tensor, B: Tensor> Zero for Linear<W, B> {
    const ZERO: Self = Self { weight: W::ZERO, bias: B::ZERO };
}

impl<W: Tensor, B: Tensor> Params for Linear<W, B> {
    const COUNT: usize = W::LEN + B::LEN;

    fn visit(&self, parent: Option<&Name<'_>>, visitor: &mut dyn FnMut(Name<'_>, &[f32])) {
        visitor(Name::leaf(parent, "weight").of::<W>(), self.weight.flat());
        if B::LEN > 0 {
            visitor(Name::leaf(parent, "bias").of::<B>(), self.bias.flat());
        }
    }

    fn visit_mut<const SETS: usize>(
        mut sets: [&mut Self; SETS],
        parent: Option<&Name<'_>>,
        visitor: &mut dyn FnMut(Name<'_>, [&mut [f32]; SETS]),
    ) where
        Beside: Parts<SETS>,
    {
        let slices = Beside::parts(&mut sets, |set| (set.weight.flat_mut(), set.bias.flat_mut()));
        visit_linear(parent, slices, visitor);
    }
}

/// Visits weight and bias of a linear layer of any shape, in several sets of parameters.
#[inline(never)]
fn visit_linear<const SETS: usize>(
    parent: Option<&Name<'_>>,
    mut sets: [(&mut [f32], &mut [f32]); SETS],
    visitor: &mut dyn FnMut(Name<'_>, [&mut [f32]; SETS]),
) {
    visitor(Name::leaf(parent, "weight"), sets.each_mut().map(|(weight, _)| &mut **weight));
    if sets.iter().any(|(_, bias)| !bias.is_empty()) {
        visitor(Name::leaf(parent, "bias"), sets.map(|(_, bias)| bias));
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn names_join_the_stages_with_dots() {
        let outer = Name::stage(None, 3);
        let inner = Name::stage(Some(&outer), 0);
        assert_eq!(Name::leaf(Some(&inner), "weight").to_string(), "3.0.weight");
        assert_eq!(Name::leaf(None, "bias").to_string(), "bias");
        assert_eq!(Name::leaf(None, "bias").last(), "bias");
    }

    #[test]
    fn sets_are_visited_side_by_side() {
        type P = Linear<[[f32; 2]; 3], [f32; 2]>;
        let (mut params, mut grads) = (P::ZERO, P::ZERO);
        grads.weight[2][1] = 4.0;
        grads.bias = [1.0, 2.0];
        P::visit_mut([&mut params, &mut grads], None, &mut |_, [p, g]| p.copy_from_slice(g));
        assert_eq!(params, grads);
    }

    #[test]
    fn a_layer_without_bias_shows_its_weight_only() {
        type P = Linear<[[f32; 2]; 3], [f32; 0]>;
        let mut names = std::vec::Vec::new();
        P::ZERO.visit(None, &mut |name, values| names.push((name.last(), values.len())));
        assert_eq!(names, [("weight", 6)]);
        assert_eq!(P::COUNT, 6);
    }
}
