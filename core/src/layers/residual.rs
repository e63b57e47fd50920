//! Residual connections.

use crate::descend::{Descend, Descent, Later, Place};
use crate::gradients::{Accumulation, Gradients};
use crate::inference::{Inference, max};
use crate::init::Initialization;
use crate::kernel::elementwise;
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::Projection;
use crate::rng::Rng;
use crate::tensor::Tensor;

/// A residual connection, `y = F(x) + x`.
///
/// `dL/dx` is the branch's plus `dL/dy`. Source: He et al., "Deep residual learning for image recognition" (2016), equation 1.
///
/// It costs no memory: the sum is taken in the place of the branch's output, and backward adds dL/dy to what the branch
/// has left in `x`. For that the branch must begin with a layer that keeps its input and end with one whose output is its
/// own: a linear layer, a normalisation. Another does not compile; [`Keep`](crate::Keep) at its beginning or end makes it fit,
/// for the memory of one copy.
///
/// ```
/// use backpass::{Dense, Layer, Pass, Relu, Residual, Zero};
/// let block = Residual::<(Dense<4>, Relu, Dense<3>)>::default();
/// // With weights of zero the branch adds nothing.
/// let y = *block.forward(&Zero::ZERO, &mut [1.0, 2.0, 3.0], &mut Zero::ZERO, Pass::Predicting);
/// assert_eq!(y, [1.0, 2.0, 3.0]);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Residual<F>(
    /// The branch, F.
    pub F,
);

/// A residual connection with a projection, `y = F(x) + P(x)`: where the branch changes the shape.
///
/// The projection is a dense layer or a convolution, or a chain that begins with one ([`Projection`]). Gradients are those of
/// both added up. Its output takes memory as any linear layer's; beyond that there is none, as in [`Residual`]. The
/// branch's parameters are named `0`, the projection's `1`. Source: He et al. (2016), equation 2.
///
/// ```
/// use backpass::{Dense, Layer, Relu, ResidualProjection};
/// type Block = ResidualProjection<(Dense<8>, Relu, Dense<5>), Dense<5>>;
/// fn output_of<N: Layer<[f32; 3], Output = [f32; 5]>>() {}
/// output_of::<Block>();
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ResidualProjection<F, P>(
    /// The branch, F.
    pub F,
    /// The projection, P.
    pub P,
);

/// How many values are carried at a time from one place to another that is borrowed together with it.
const LANES: usize = 8;

/// Some values, starting anywhere in a tensor.
type Part = ([f32; LANES], usize);

/// The starts of all parts of a tensor.
fn parts<X: Tensor>() -> impl Iterator<Item = usize> {
    (0..X::LEN).step_by(LANES)
}

/// The part of `values` from `start` on.
fn part(values: &[f32], start: usize) -> Part {
    let values = values.get(start..).unwrap_or_default();
    let mut part = [0.0; LANES];
    part.iter_mut().zip(values).for_each(|(part, value)| *part = *value);
    (part, values.len().min(LANES))
}

/// Calls `with` for each value of a tensor from `start` on and that of the part.
fn with_part(values: &mut [f32], start: usize, (part, len): &Part, mut with: impl FnMut(&mut f32, f32)) {
    let values = values.get_mut(start..).unwrap_or_default();
    values.iter_mut().zip(part.iter().take(*len)).for_each(|(value, more)| with(value, *more));
}

/// Refuses a branch that shares its input's or its output's place.
const fn check<X, L: Layer<X>>(keeps_output_gradient: bool) {
    assert!(
        L::KEEPS_INPUT,
        "Residual: the branch (and the projection) must begin with a layer that keeps its input, such as a dense layer, a convolution or a normalisation; put `Keep` first"
    );
    assert!(
        L::KEEPS_OUTPUT_GRADIENT || !keeps_output_gradient,
        "Residual: the branch must end with a layer whose output is its own, such as a dense layer, a convolution or a normalisation; put `Keep` last"
    );
}

/// Adds dL/dy, which lies in the place of the branch's output, to the branch's dL/dx.
fn add_output_gradient<X: Tensor, F: Layer<X, Output = X>>(x: &mut X, tape: &mut F::Tape, want: InputGradient) {
    if want == InputGradient::Unused {
        return;
    }
    for start in parts::<X>() {
        let dy = part(F::output(x, tape).flat(), start);
        with_part(x.flat_mut(), start, &dy, |dx, dy| elementwise::add_gradient(dx, dy, want));
    }
}

impl<F, P> ResidualProjection<F, P> {
    /// Puts dL/dy, which lies in the place of the branch's output, into that of the projection's.
    fn project_output_gradient<X, Y: Tensor>(&self, x: &mut X, tape: &mut (F::Tape, P::Tape))
    where
        F: Layer<X, Output = Y>,
        P: Layer<X, Output = Y>,
    {
        let wanted = self.1.output_gradient(InputGradient::Full);
        for start in parts::<Y>() {
            let dy = part(F::output(x, &mut tape.0).flat(), start);
            with_part(P::output(x, &mut tape.1).flat_mut(), start, &dy, |place, dy| {
                elementwise::replace(place, dy, wanted);
            });
        }
    }
}

impl<X: Tensor, F: Layer<X, Output = X>> Layer<X> for Residual<F> {
    type Output = X;
    type Params = F::Params;
    type Tape = F::Tape;
    const NAME: &'static str = "Residual";
    const KEEPS_INPUT: bool = true;
    const KEEPS_OUTPUT_GRADIENT: bool = true;
    const ONLY_FIRST: bool = F::ONLY_FIRST;
    const FORGETS_STATE: bool = F::FORGETS_STATE;

    fn names(visitor: &mut dyn FnMut(&'static str)) {
        visitor(Self::NAME);
        F::names(visitor);
    }

    fn forward<'t>(&self, params: &F::Params, x: &'t mut X, tape: &'t mut F::Tape, pass: Pass) -> &'t mut X {
        const { check::<X, F>(true) };
        self.0.forward(params, x, tape, pass);
        for start in parts::<X>() {
            let input = part(x.flat(), start);
            with_part(F::output(x, tape).flat_mut(), start, &input, |y, x| *y += x);
        }
        F::output(x, tape)
    }

    fn output<'t>(x: &'t mut X, tape: &'t mut F::Tape) -> &'t mut X {
        F::output(x, tape)
    }

    fn backward(
        &self,
        params: &F::Params,
        x: &mut X,
        tape: &mut F::Tape,
        grads: Option<Gradients<'_, F::Params>>,
        want: InputGradient,
    ) {
        self.0.backward(params, x, tape, grads, want);
        add_output_gradient::<X, F>(x, tape, want);
    }

    fn initialization(&self, after: Initialization) -> Initialization {
        self.0.initialization(after)
    }

    fn initialize(&self, params: &mut F::Params, after: Initialization, rng: &mut Rng) {
        self.0.initialize(params, after, rng);
    }
}

impl<X, Y, F, P> Layer<X> for ResidualProjection<F, P>
where
    X: Tensor,
    Y: Tensor,
    F: Layer<X, Output = Y>,
    P: Projection<X> + Layer<X, Output = Y>,
{
    type Output = Y;
    type Params = (F::Params, P::Params);
    type Tape = (F::Tape, P::Tape);
    const NAME: &'static str = "ResidualProjection";
    const KEEPS_INPUT: bool = true;
    const KEEPS_OUTPUT_GRADIENT: bool = true;
    const ONLY_FIRST: bool = F::ONLY_FIRST || <P as Layer<X>>::ONLY_FIRST;
    const FORGETS_STATE: bool = F::FORGETS_STATE || <P as Layer<X>>::FORGETS_STATE;

    fn names(visitor: &mut dyn FnMut(&'static str)) {
        visitor(Self::NAME);
        F::names(visitor);
        <P as Layer<X>>::names(visitor);
    }

    fn forward<'t>(&self, params: &Self::Params, x: &'t mut X, tape: &'t mut Self::Tape, pass: Pass) -> &'t mut Y {
        const {
            check::<X, F>(true);
            check::<X, P>(false);
        };
        self.0.forward(&params.0, x, &mut tape.0, pass.stage(0));
        self.1.forward(&params.1, x, &mut tape.1, pass.stage(1));
        for start in parts::<Y>() {
            let projected = part(P::output(x, &mut tape.1).flat(), start);
            with_part(F::output(x, &mut tape.0).flat_mut(), start, &projected, |y, p| *y += p);
        }
        F::output(x, &mut tape.0)
    }

    fn output<'t>(x: &'t mut X, tape: &'t mut Self::Tape) -> &'t mut Y {
        F::output(x, &mut tape.0)
    }

    fn backward(
        &self,
        params: &Self::Params,
        x: &mut X,
        tape: &mut Self::Tape,
        mut grads: Option<Gradients<'_, Self::Params>>,
        want: InputGradient,
    ) {
        self.project_output_gradient(x, tape);
        // The projection's weights first, while `x` is still the input; its part of dL/dx last, on top of the branch's.
        self.1.backward(
            &params.1,
            x,
            &mut tape.1,
            grads.as_mut().map(|grads| grads.part(|(_, projection)| projection)),
            InputGradient::Unused,
        );
        self.0.backward(&params.0, x, &mut tape.0, grads.as_mut().map(|grads| grads.part(|(branch, _)| branch)), want);
        if want != InputGradient::Unused {
            self.1.add_input_gradient(&params.1, x, &mut tape.1, want);
        }
    }

    fn initialization(&self, after: Initialization) -> Initialization {
        self.0.initialization(after)
    }

    fn initialize(&self, params: &mut Self::Params, after: Initialization, rng: &mut Rng) {
        self.0.initialize(&mut params.0, after, rng);
        self.1.initialize(&mut params.1, after, rng);
    }
}

/// Puts the input aside at the beginning of `there`, runs the branch and leaves its output in `here`. Returns the input, in
/// `aside` elements, and the rest of `there`.
fn infer_branch<'b, X: Tensor, F: Inference<X>>(
    branch: &F,
    params: &F::Params,
    here: &mut [f32],
    there: &'b mut [f32],
    aside: usize,
) -> (&'b mut [f32], &'b mut [f32]) {
    let (input, work) = there.split_at_mut_checked(aside).unwrap_or_default();
    elementwise::copy(here.get(..X::LEN).unwrap_or_default(), input);
    branch.infer(params, here, work);
    if F::SWAPS {
        elementwise::copy(work.get(..F::Output::LEN).unwrap_or_default(), here);
    }
    (input, work)
}

/// y += x.
fn add(y: &mut [f32], x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
}

impl<X: Tensor, F: Descend<X> + Layer<X, Output = X>> Descend<X> for Residual<F> {
    type Shared<P: Place> = F::Shared<P>;
    type Next<P: Place> = F::Next<P>;

    fn descend<P: Place>(
        &self,
        params: &mut F::Params,
        shared: &mut F::Shared<P>,
        x: &mut X,
        tape: &mut F::Tape,
        descent: &mut Descent,
        want: InputGradient,
    ) {
        self.0.descend::<P>(params, shared, x, tape, descent, want);
        add_output_gradient::<X, F>(x, tape, want);
    }
}

impl<X, Y, F, P> Descend<X> for ResidualProjection<F, P>
where
    X: Tensor,
    Y: Tensor,
    F: Descend<X> + Layer<X, Output = Y>,
    P: Projection<X> + Layer<X, Output = Y>,
{
    /// The projection's weights are needed once more after its gradient was taken, so that is kept.
    type Shared<Q: Place> = (F::Shared<Q>, P::Params);
    type Next<Q: Place> = Later;

    fn descend<Q: Place>(
        &self,
        params: &mut Self::Params,
        shared: &mut Self::Shared<Q>,
        x: &mut X,
        tape: &mut Self::Tape,
        descent: &mut Descent,
        want: InputGradient,
    ) {
        if descent.is_refused() {
            return;
        }
        let mut sum = Accumulation::new();
        let grads = Gradients::new(&mut shared.1, &mut sum);
        self.project_output_gradient(x, tape);
        self.1.backward(&params.1, x, &mut tape.1, Some(grads), InputGradient::Unused);
        self.0.descend::<Q>(&mut params.0, &mut shared.0, x, &mut tape.0, descent, want);
        if want != InputGradient::Unused {
            self.1.add_input_gradient(&params.1, x, &mut tape.1, want);
        }
        descent.step(&mut params.1, &mut shared.1, sum.bound);
    }
}

impl<X: Tensor, F: Inference<X> + Layer<X, Output = X>> Inference<X> for Residual<F> {
    const BUFFER: usize = X::LEN + F::BUFFER;
    const SWAPS: bool = false;
    const HAS_STATE: bool = F::HAS_STATE;

    fn infer(&self, params: &F::Params, here: &mut [f32], there: &mut [f32]) {
        let (input, _) = infer_branch(&self.0, params, here, there, X::LEN);
        add(here, input);
    }
}

impl<X, Y, F, P> Inference<X> for ResidualProjection<F, P>
where
    X: Tensor,
    Y: Tensor,
    F: Inference<X> + Layer<X, Output = Y>,
    P: Projection<X> + Inference<X> + Layer<X, Output = Y>,
{
    const BUFFER: usize = P::BUFFER + max(F::BUFFER, P::BUFFER);
    const SWAPS: bool = false;
    const HAS_STATE: bool = F::HAS_STATE || P::HAS_STATE;

    fn infer(&self, params: &Self::Params, here: &mut [f32], there: &mut [f32]) {
        let (input, work) = infer_branch(&self.0, &params.0, here, there, P::BUFFER);
        self.1.infer(&params.1, input, work);
        let projected = if P::SWAPS { work } else { input };
        add(here, projected.get(..Y::LEN).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Dense, Relu};
    use crate::params::Linear;
    use crate::tensor::Zero;

    fn ones<const N: usize>(value: f32) -> Linear<[[f32; N]; N], [f32; N]> {
        Linear { weight: [[value; N]; N], bias: [0.0; N] }
    }

    #[test]
    fn every_element_is_added_whatever_their_number() {
        fn check<const N: usize>() {
            let block = Residual((Dense::<N>::new(),));
            let input: [f32; N] = core::array::from_fn(|i| i as f32 + 1.0);
            let (mut x, mut tape) = (input, Zero::ZERO);
            let params = (ones(2.0),);
            let y = block.forward(&params, &mut x, &mut tape, Pass::training(0));
            let sum: f32 = input.iter().sum();
            assert_eq!(*y, input.map(|x| 2.0 * sum + x));
            *y = input;
            block.backward(&params, &mut x, &mut tape, None, InputGradient::Full);
            assert_eq!(x, input.map(|dy| 2.0 * sum + dy));
        }
        check::<1>();
        check::<7>();
        check::<8>();
        check::<17>();
    }

    #[test]
    fn closed_gates_get_nothing_from_the_shortcut_and_open_ones_do_though_the_branch_gives_zero() {
        let net = (Relu, Residual((Dense::<3>::new(),)));
        let (mut x, mut tape) = ([-1.0, 2.0, 3.0], Zero::ZERO);
        // The branch's own gradient is 0 everywhere.
        let params = ((), (ones(0.0),));
        *net.forward(&params, &mut x, &mut tape, Pass::training(0)) = [5.0, 7.0, 0.0];
        net.backward(&params, &mut x, &mut tape, None, InputGradient::Full);
        assert_eq!(x, [0.0, 7.0, 0.0]);
        // A gate that is open stays visible, for what is added next.
        assert_eq!(x.map(f32::to_bits), [0, 7.0_f32.to_bits(), (-0.0_f32).to_bits()]);
    }

    #[test]
    fn the_projection_reads_the_input_before_the_branch_overwrites_it() {
        let block = ResidualProjection((Dense::<2>::new(), Relu, Dense::<2>::new()), (Dense::<2>::new(), Relu));
        let params = ((ones(1.0), (), ones(1.0)), (Linear { weight: [[1.0, -1.0]; 2], bias: [0.0; 2] }, ()));
        let (mut x, mut tape, mut grads) = ([2.0, 3.0], Zero::ZERO, ((ones(0.0), (), ones(0.0)), (ones(0.0), ())));
        let y = block.forward(&params, &mut x, &mut tape, Pass::training(0));
        assert_eq!(*y, [15.0, 10.0]);
        *y = [1.0, 1.0];
        block.backward(&params, &mut x, &mut tape, Some((&mut grads).into()), InputGradient::Full);
        // The second output of the projection is behind a closed gate.
        assert_eq!(grads.1.0.weight, [[2.0, 0.0], [3.0, 0.0]]);
        assert_eq!(grads.0.0.weight, [[4.0; 2], [6.0; 2]]);
        assert_eq!(x, [4.0 + 1.0; 2]);
    }
}
