//! Running layers.

use backpass::Gradients;
use backpass::{Concat, Inference, InputGradient, Layer, Pass, Residual, Tensor, Zero};

use crate::harness::Run;

/// What a layer that computes the same in training as in prediction is run in.
const BOTH: [Pass; 2] = [Pass::Predicting, Pass::training(0)];

impl Run<'_> {
    /// A layer, or several in a row, in prediction and in training.
    pub(crate) fn layer<X: Tensor>(&mut self, case: &str, layer: impl Inference<X>) {
        self.batch(case, &layer, &BOTH);
    }

    /// A layer in prediction alone.
    pub(crate) fn predicting<X: Tensor>(&mut self, case: &str, layer: impl Inference<X>) {
        self.batch(case, &layer, &[Pass::Predicting]);
    }

    /// A maximum, and where it was: the only place that the gradient of its output goes to.
    pub(crate) fn max_pool<X: Tensor>(&mut self, case: &str, layer: impl Inference<X>) {
        self.batch(case, &layer, &BOTH);
        self.places(case, &layer);
        self.ran(case);
    }

    fn places<X: Tensor, N: Inference<X>>(&mut self, case: &str, layer: &N) {
        let input: X = self.tensor(&format!("{case}/x"));
        let indices = self.integers(&format!("{case}/indices"));
        assert_eq!(indices.len(), N::Output::LEN, "{case}");
        for (j, index) in indices.into_iter().enumerate() {
            let (mut x, mut tape) = (input, N::Tape::ZERO);
            let dy = layer.forward(&N::Params::ZERO, &mut x, &mut tape, Pass::training(0)).flat_mut();
            dy.fill(0.0);
            dy[j] = 1.0;
            layer.backward(&N::Params::ZERO, &mut x, &mut tape, None, InputGradient::Full);
            let places: Vec<_> =
                (0_i64..).zip(x.flat()).filter(|(_, dx)| **dx != 0.0).map(|(place, _)| place).collect();
            assert_eq!(places, [index], "{case}: maximum {j}");
        }
    }

    /// Two tensors side by side.
    pub(crate) fn concat<Y: Tensor, A: Tensor, B: Tensor>(&mut self, case: &str) {
        let [first, second] = ["first", "second"].map(|name| format!("{case}/{name}"));
        let layer = Concat::<Y, _, _>::new(Branch::<A>(self.tensor(&first)), Branch::<B>(self.tensor(&second)));
        let y: Y = self.tensor(&format!("{case}/y"));
        self.sample(case, &layer, &((), ()), &[0.0], &y, &BOTH);
        self.ran(case);
    }

    /// The sum of an input and a branch.
    pub(crate) fn residual<X: Tensor>(&mut self, case: &str) {
        let [x, branch, y]: [X; 3] = ["x", "branch", "y"].map(|name| self.tensor(&format!("{case}/{name}")));
        self.sample(case, &Residual(Branch(branch)), &(), &x, &y, &BOTH);
        self.ran(case);
    }

    /// Every sample of a case.
    fn batch<X: Tensor, N: Inference<X>>(&mut self, case: &str, layer: &N, passes: &[Pass]) {
        let inputs = self.samples::<X>(&format!("{case}/x"));
        let outputs = self.samples::<N::Output>(&format!("{case}/y"));
        assert_eq!(inputs.len(), outputs.len(), "{case}: samples");
        for (k, (x, y)) in inputs.iter().zip(&outputs).enumerate() {
            let params = self.params(case, k, inputs.len());
            self.sample(&format!("{case}, sample {k}"), layer, &params, x, y, passes);
        }
        self.ran(case);
    }

    /// Compares what a layer gives in two buffers with `output`; each of `passes` must give the same bits.
    pub(crate) fn sample<X: Tensor, N: Inference<X>>(
        &mut self,
        what: &str,
        layer: &N,
        params: &N::Params,
        input: &X,
        output: &N::Output,
        passes: &[Pass],
    ) {
        let (mut here, mut there) = (vec![0.0; N::BUFFER], vec![0.0; N::BUFFER]);
        here[..X::LEN].copy_from_slice(input.flat());
        layer.infer(params, &mut here, &mut there);
        let y = &if N::SWAPS { there } else { here }[..N::Output::LEN];
        self.compare(what, y, output.flat());
        for pass in passes {
            let (mut x, mut tape) = (*input, N::Tape::ZERO);
            let output = layer.forward(params, &mut x, &mut tape, *pass);
            assert_eq!(bits(output.flat()), bits(y), "{what}: {pass:?}");
        }
    }
}

/// A branch that gives this tensor whatever its input is.
#[derive(Debug, Clone, Copy)]
struct Branch<Y>(Y);

impl<X: Tensor, Y: Tensor> Layer<X> for Branch<Y> {
    type Output = Y;
    type Params = ();
    type Tape = Y;
    const KEEPS_INPUT: bool = true;
    const KEEPS_OUTPUT_GRADIENT: bool = true;

    fn forward<'t>(&self, (): &(), _: &'t mut X, tape: &'t mut Y, _: Pass) -> &'t mut Y {
        *tape = self.0;
        tape
    }

    fn output<'t>(_: &'t mut X, tape: &'t mut Y) -> &'t mut Y {
        tape
    }

    fn backward(&self, (): &(), x: &mut X, _: &mut Y, _: Option<Gradients<'_, ()>>, _: InputGradient) {
        x.flat_mut().fill(0.0);
    }
}

impl<X: Tensor, Y: Tensor> Inference<X> for Branch<Y> {
    const BUFFER: usize = if X::LEN > Y::LEN { X::LEN } else { Y::LEN };
    const SWAPS: bool = true;

    fn infer(&self, (): &(), _: &mut [f32], there: &mut [f32]) {
        there[..Y::LEN].copy_from_slice(self.0.flat());
    }
}

/// So that zeros of both signs are told apart.
fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}
