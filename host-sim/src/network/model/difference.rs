//! Finite differences: what the loss does when one number is moved a little.

use backpass::Pass;

use super::{Loss, Model, Step, Target, Trace};

/// By how much a number is moved up and down, times its own size if that is above 1.
pub const STEP: f64 = 1e-5;

/// The central difference `(L(w + h) - L(w - h)) / 2h`.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Difference {
    /// The central difference.
    pub central: f64,
    /// From below: `(L(w) - L(w - h)) / h`.
    pub below: f64,
    /// From above: `(L(w + h) - L(w)) / h`.
    pub above: f64,
    /// Whether a kink lies between `w - h` and `w + h`: a gate opens or closes, or a maximum moves. Then no derivative is to be
    /// expected from the difference.
    pub kink: bool,
}

impl Model {
    /// The loss's difference with respect to value `at` of parameter `parameter` of node `node` (counted within the node).
    #[must_use]
    pub fn parameter_difference(
        &mut self,
        [node, parameter, at]: [usize; 3],
        trace: &Trace,
        loss: Loss,
        target: &Target,
        pass: Pass,
    ) -> Difference {
        let index = self.range(node).start + parameter;
        let value = self.values[index][at];
        let h = STEP * value.abs().max(1.0);
        let x = trace.value(self.nodes[node].input).to_vec();
        let sides = [value - h, value + h].map(|moved| {
            self.values[index][at] = moved;
            self.forward_from(node, &x, trace, pass)
        });
        self.values[index][at] = value;
        difference(&trace.steps[node..], &sides, h, |y| loss.value(y, target))
    }

    /// The loss's difference with respect to value `at` of what node `node` takes, were it moved for that node alone.
    #[must_use]
    pub fn input_difference(
        &self,
        [node, at]: [usize; 2],
        trace: &Trace,
        loss: Loss,
        target: &Target,
        pass: Pass,
    ) -> Difference {
        let x = trace.value(self.nodes[node].input);
        let h = STEP * x[at].abs().max(1.0);
        let sides = [-h, h].map(|by| {
            let mut x = x.to_vec();
            x[at] += by;
            self.forward_from(node, &x, trace, pass)
        });
        difference(&trace.steps[node..], &sides, h, |y| loss.value(y, target))
    }
}

fn difference(middle: &[Step], [below, above]: &[Vec<Step>; 2], h: f64, loss: impl Fn(&[f64]) -> f64) -> Difference {
    let of = |steps: &[Step]| steps.last().map_or(f64::NAN, |step| loss(&step.y));
    let differs = |steps: &[Step]| steps.iter().zip(middle).any(|(a, b)| a.branches != b.branches);
    let [low, centre, high] = [of(below), of(middle), of(above)];
    Difference {
        central: (high - low) / (2.0 * h),
        below: (centre - low) / h,
        above: (high - centre) / h,
        kink: differs(below) || differs(above),
    }
}
