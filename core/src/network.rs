//! Tuples as networks: up to 16 stages, each taking the output of the one before.

use crate::descend::{Descend, Descent, Place};
use crate::gradients::Gradients;
use crate::inference::{Inference, max};
use crate::init::Initialization;
use crate::layer::{InputGradient, Layer, Pass};
use crate::layers::Projection;
use crate::params::{Beside, Name, Params, Parts};
use crate::rng::Rng;
use crate::tensor::{Tensor, Zero};

/// Runs a chain's backward pass: the stages after the first, on the first one's output, then the first.
///
/// For stages 0 and 1 it expands to
///
/// ```text
/// let wanted = network.0.output_gradient(want);
/// {
///     let y = A::output(&mut *x, &mut tape.0);
///     network.1.backward(&params.1, y, &mut tape.1, grads.part(|grads| &mut grads.1), wanted)
/// }
/// network.0.backward(&params.0, x, &mut tape.0, grads.part(|grads| &mut grads.0), want);
/// ```
macro_rules! backward {
    ($net:ident $params:ident $tape:ident $grads:ident, $x:ident $want:ident, $stage:ident $i:tt) => {
        $net.$i.backward(&$params.$i, $x, &mut $tape.$i, $grads.as_mut().map(|grads| grads.part(|grads| &mut grads.$i)), $want)
    };
    ($net:ident $params:ident $tape:ident $grads:ident, $x:ident $want:ident, $stage:ident $i:tt $($rest:tt)+) => {{
        let wanted = $net.$i.output_gradient($want);
        {
            let y = $stage::output(&mut *$x, &mut $tape.$i);
            backward!($net $params $tape $grads, y wanted, $($rest)+)
        }
        $net.$i.backward(&$params.$i, $x, &mut $tape.$i, $grads.as_mut().map(|grads| grads.part(|grads| &mut grads.$i)), $want)
    }};
}

/// Runs a chain's descent, as `backward!` does its backward pass.
macro_rules! descend {
    ($net:ident $params:ident $shared:ident $tape:ident $descent:ident, $x:ident $want:ident, $stage:ident $i:tt ($place:ty)) => {
        $net.$i.descend::<$place>(&mut $params.$i, &mut $shared.$i, $x, &mut $tape.$i, $descent, $want)
    };
    ($net:ident $params:ident $shared:ident $tape:ident $descent:ident, $x:ident $want:ident, $stage:ident $i:tt ($place:ty), $($rest:tt)+) => {{
        let wanted = $net.$i.output_gradient($want);
        {
            let y = $stage::output(&mut *$x, &mut $tape.$i);
            descend!($net $params $shared $tape $descent, y wanted, $($rest)+)
        }
        $net.$i.descend::<$place>(&mut $params.$i, &mut $shared.$i, $x, &mut $tape.$i, $descent, $want)
    }};
}

/// Initialises a chain from its last stage to its first and gives what suits the stage before it:
/// for stages 0 and 1, `{ let after = { net.1.initialize(.., after, ..); net.1.initialization(after) }; net.0... }`.
macro_rules! initialize {
    ($net:ident $params:ident $rng:ident $after:ident,) => { $after };
    ($net:ident $params:ident $rng:ident $after:ident, $i:tt $($rest:tt)*) => {{
        let after = initialize!($net $params $rng $after, $($rest)*);
        $net.$i.initialize(&mut $params.$i, after, $rng);
        $net.$i.initialization(after)
    }};
}

/// What suits the stage before a chain: `net.0.initialization(net.1.initialization(after))`.
macro_rules! initialization {
    ($net:ident $after:ident,) => { $after };
    ($net:ident $after:ident, $i:tt $($rest:tt)*) => {
        $net.$i.initialization(initialization!($net $after, $($rest)*))
    };
}

/// Whether the last of a list says yes: `last!(A B)` is `B::KEEPS_OUTPUT_GRADIENT`.
macro_rules! keeps_output_gradient {
    ($stage:ident $x:ident) => { <$stage as Layer<$x>>::KEEPS_OUTPUT_GRADIENT };
    ($stage:ident $x:ident $($rest:ident)+) => { keeps_output_gradient!($($rest)+) };
}

/// Refuses a stage after the first that must be the first.
macro_rules! only_first {
    ($stage:ident $x:ident $($rest:ident $y:ident)*) => {
        const { assert!(true $(&& !<$rest as Layer<$y>>::ONLY_FIRST)*, "FrozenPrefix: it has no gradient for its input, so it must be the first stage; use `Frozen` elsewhere") }
    };
}

/// Implements `Zero`, `Params` and `Layer` for one arity. `chain!(A 0 X Y, B 1 Y Z; Z)` says that stage `A`, at index 0,
/// turns an `X` into a `Y`, and gives, for `Layer`,
///
/// ```text
/// impl<X: 'static, Y: 'static, Z: 'static, A: Layer<X, Output = Y>, B: Layer<Y, Output = Z>> Layer<X> for (A, B) {
///     type Output = Z;
///     type Params = (A::Params, B::Params);
///     type Tape = (A::Tape, B::Tape);
///     fn forward(..) -> &mut Z {
///         let y = x;
///         let y = self.0.forward(&params.0, y, &mut tape.0, pass.stage(0));
///         let y = self.1.forward(&params.1, y, &mut tape.1, pass.stage(1));
///         y
///     }
///     ..
/// }
/// ```
macro_rules! chain {
    ($($stage:ident $i:tt $x:ident $y:ident),+; $last:ident) => {
        impl<$($stage: Zero),+> Zero for ($($stage,)+) {
            const ZERO: Self = ($($stage::ZERO,)+);
        }

        impl<$($stage: Params),+> Params for ($($stage,)+) {
            const COUNT: usize = 0 $(+ $stage::COUNT)+;
            const STAGES: usize = [$($i),+].len();

            fn visit(&self, parent: Option<&Name<'_>>, visitor: &mut dyn FnMut(Name<'_>, &[f32])) {
                let mut name = Name::stage(parent, 0);
                $(self.$i.visit(Some(name.at_stage($i)), visitor);)+
            }

            fn visit_mut<const SETS: usize>(
                mut sets: [&mut Self; SETS],
                parent: Option<&Name<'_>>,
                visitor: &mut dyn FnMut(Name<'_>, [&mut [f32]; SETS]),
            ) where
                Beside: Parts<SETS>,
            {
                let mut name = Name::stage(parent, 0);
                $(if $stage::COUNT > 0 {
                    $stage::visit_mut(
                        Beside::parts(&mut sets, |set| &mut set.$i),
                        Some(name.at_stage($i)),
                        visitor,
                    );
                })+
            }
        }

        impl<X0: 'static, $($y: 'static,)+ $($stage: Layer<$x, Output = $y>),+> Projection<X0> for ($($stage,)+)
        where
            A: Projection<X0>,
        {
            fn add_input_gradient(
                &self,
                params: &Self::Params,
                x: &mut X0,
                tape: &mut Self::Tape,
                want: InputGradient,
            ) {
                self.0.add_input_gradient(&params.0, x, &mut tape.0, want);
            }
        }

        impl<X0: 'static, $($y: 'static,)+ $($stage: Layer<$x, Output = $y>),+> Layer<X0> for ($($stage,)+) {
            type Output = $last;
            type Params = ($($stage::Params,)+);
            type Tape = ($($stage::Tape,)+);
            const KEEPS_INPUT: bool = <A as Layer<X0>>::KEEPS_INPUT;
            const KEEPS_OUTPUT_GRADIENT: bool = keeps_output_gradient!($($stage $x)+);
            const ONLY_FIRST: bool = <A as Layer<X0>>::ONLY_FIRST;
            const FORGETS_STATE: bool = false $(|| <$stage as Layer<$x>>::FORGETS_STATE)+;

            #[inline]
            fn forward<'t>(
                &self,
                params: &Self::Params,
                x: &'t mut X0,
                tape: &'t mut Self::Tape,
                pass: Pass,
            ) -> &'t mut Self::Output {
                only_first!($($stage $x)+);
                let y = x;
                $(let y = self.$i.forward(&params.$i, y, &mut tape.$i, pass.stage($i));)+
                y
            }

            fn names(visitor: &mut dyn FnMut(&'static str)) {
                $(<$stage as Layer<$x>>::names(visitor);)+
            }

            #[inline]
            fn output<'t>(x: &'t mut X0, tape: &'t mut Self::Tape) -> &'t mut Self::Output {
                let y = x;
                $(let y = $stage::output(y, &mut tape.$i);)+
                y
            }

            #[inline]
            fn backward(
                &self,
                params: &Self::Params,
                x: &mut X0,
                tape: &mut Self::Tape,
                mut grads: Option<Gradients<'_, Self::Params>>,
                want: InputGradient,
            ) {
                backward!(self params tape grads, x want, $($stage $i)+);
            }

            #[inline]
            fn output_gradient(&self, input: InputGradient) -> InputGradient {
                let wanted = input;
                $(let wanted = self.$i.output_gradient(wanted);)+
                wanted
            }

            fn initialization(&self, after: Initialization) -> Initialization {
                initialization!(self after, $($i)+)
            }

            fn initialize(&self, params: &mut Self::Params, after: Initialization, rng: &mut Rng) {
                let _ = initialize!(self params rng after, $($i)+);
            }
        }
    };
}

/// Implements `Inference` for one arity: the stages hand two buffers on.
macro_rules! infer {
    ($($stage:ident $i:tt $x:ident $y:ident),+) => {
        impl<X0: Tensor, $($y: Tensor,)+ $($stage: Inference<$x> + Layer<$x, Output = $y>),+> Inference<X0> for ($($stage,)+) {
            const BUFFER: usize = {
                let largest = 0;
                $(let largest = max(largest, <$stage as Inference<$x>>::BUFFER);)+
                largest
            };

            const SWAPS: bool = false $(^ <$stage as Inference<$x>>::SWAPS)+;
            const HAS_STATE: bool = false $(|| <$stage as Inference<$x>>::HAS_STATE)+;

            fn infer(&self, params: &Self::Params, here: &mut [f32], there: &mut [f32]) {
                let (x, other) = (here, there);
                $(
                    self.$i.infer(&params.$i, x, other);
                    let (x, other) = if <$stage as Inference<$x>>::SWAPS { (other, x) } else { (x, other) };
                )+
                let _ = (x, other);
            }
        }
    };
}

/// Implements `Descend` for one arity. First it finds the place of each stage, from that of the one before it: `in_place!([] (Q) A 0 X0 X1,
/// B 1 X1 X2)` comes to `in_place!([A 0 X0 X1 (Q), B 1 X1 X2 (<A as Descend<X0>>::Next<Q>),] (<B as Descend<X1>>::Next<..>))`.
macro_rules! in_place {
    ([$($done:tt)*] ($place:ty) $stage:ident $i:tt $x:ident $y:ident $(, $($rest:tt)*)?) => {
        in_place!([$($done)* $stage $i $x $y ($place),] (<$stage as Descend<$x>>::Next<$place>) $($($rest)*)?);
    };
    ([$($stage:ident $i:tt $x:ident $y:ident ($place:ty),)+] ($next:ty)) => {
        impl<X0: 'static, $($y: 'static,)+ $($stage: Descend<$x> + Layer<$x, Output = $y>),+> Descend<X0> for ($($stage,)+) {
            type Shared<Q: Place> = ($(<$stage as Descend<$x>>::Shared<$place>,)+);
            type Next<Q: Place> = $next;

            #[inline]
            fn descend<Q: Place>(
                &self,
                params: &mut Self::Params,
                shared: &mut Self::Shared<Q>,
                x: &mut X0,
                tape: &mut Self::Tape,
                descent: &mut Descent,
                want: InputGradient,
            ) {
                descend!(self params shared tape descent, x want, $($stage $i ($place)),+);
            }
        }
    };
}

/// Calls `chain!` for every arity from 1 up to that of the list: `chains!(A 0 X0 X1, B 1 X1 X2)` gives
/// `chain!(A 0 X0 X1; X1)` and `chain!(A 0 X0 X1, B 1 X1 X2; X2)`.
macro_rules! chains {
    ([$($done:tt)*]) => {};
    ([$($done:tt)*] $stage:ident $i:tt $x:ident $y:ident $(, $($rest:tt)*)?) => {
        chain!($($done)* $stage $i $x $y; $y);
        infer!($($done)* $stage $i $x $y);
        in_place!([] (Q) $($done)* $stage $i $x $y);
        chains!([$($done)* $stage $i $x $y,] $($($rest)*)?);
    };
}

chains!([] A 0 X0 X1, B 1 X1 X2, C 2 X2 X3, D 3 X3 X4, E 4 X4 X5, F 5 X5 X6, G 6 X6 X7, H 7 X7 X8,
    I 8 X8 X9, J 9 X9 X10, K 10 X10 X11, L 11 X11 X12, M 12 X12 X13, N 13 X13 X14, O 14 X14 X15, P 15 X15 X16);
