//! Running optimizers: one step from given weights, gradients and moments.

use backpass::optimizer::adam::AdamState;
use backpass::{Adam, Optimizer, Params, Step, Zero};

use crate::harness::Run;

impl Run<'_> {
    /// The first step of a rule.
    pub(crate) fn optimizer<P: Params>(&mut self, case: &str, rule: impl Optimizer) {
        self.step::<P, _>(case, &rule, Zero::ZERO);
    }

    /// A step of Adam without bias corrections, which is what ONNX's is at T = 0: they are 1, as they become in the end.
    pub(crate) fn adam<P: Params>(&mut self, case: &str, rule: Adam) {
        self.step::<P, _>(case, &rule, AdamState { correction1: 1.0, correction2: 1.0 });
    }

    fn step<P: Params, O: Optimizer>(&mut self, case: &str, rule: &O, mut state: O::State) {
        let [mut weights, mut gradients] =
            ["weights", "gradients"].map(|kind| self.params::<P>(&format!("{case}/before/{kind}"), 0, 1));
        let mut moments = O::Moments::<P>::ZERO;
        for (i, moment) in moments.as_mut().iter_mut().enumerate() {
            *moment = self.params(&format!("{case}/before/moments{i}"), 0, 1);
        }
        assert!(rule.step(&mut weights, &mut gradients, &mut moments, &mut state, Step::new(1)), "{case}: refused");
        self.compare_params(&format!("{case}/after/weights"), &weights);
        for (i, moment) in moments.as_ref().iter().enumerate() {
            self.compare_params(&format!("{case}/after/moments{i}"), moment);
        }
        self.ran(case);
    }

    fn compare_params<P: Params>(&mut self, what: &str, ours: &P) {
        ours.visit(None, &mut |name, values| {
            let name = format!("{what}/{name}");
            let theirs = self.floats(&name);
            self.compare(&name, values, &theirs);
        });
    }
}
