//! Layers behind one type, so that any may be put together while a test runs.

use std::any::Any as Downcast;
use std::fmt::{self, Debug};

use backpass::Gradients;
use backpass::params::{Beside, Parts};
use backpass::{Inference, InputGradient, Layer, Name, Params, Pass, Tensor, Zero};

use crate::harness::{Stage, State, Values};

/// A layer from `X` to `X`, whatever its type. Parameters are slices: what is learned, and what is measured.
pub(crate) trait Dynamic<X>: Debug {
    fn forward(&self, params: [&[f32]; 2], x: &mut X, pass: Pass) -> Box<dyn Kept<X>>;
    fn backward(
        &self,
        params: [&[f32]; 2],
        x: &mut X,
        kept: &mut dyn Kept<X>,
        grads: Option<[&mut [f32]; 2]>,
        want: InputGradient,
    );
    fn output_gradient(&self, input: InputGradient) -> InputGradient;
    fn infer(&self, params: [&[f32]; 2], x: &X) -> X;
    fn keeps(&self) -> [bool; 2];
}

/// The tape of a [`Dynamic`] layer.
pub(crate) trait Kept<X>: Downcast {
    fn output<'t>(&'t mut self, x: &'t mut X) -> &'t mut X;
}

/// A layer of this type, as a [`Dynamic`] one.
#[derive(Debug)]
pub(crate) struct Typed<L>(L);

/// Its tape.
pub(crate) struct TypedTape<L, X>(L::Tape)
where
    L: Layer<X>;

impl<X: 'static, L: Layer<X, Output = X, Tape: 'static> + 'static> Kept<X> for TypedTape<L, X> {
    fn output<'t>(&'t mut self, x: &'t mut X) -> &'t mut X {
        L::output(x, &mut self.0)
    }
}

/// The parameters that slices hold.
pub(crate) fn typed<P: Params>([mut learned, mut measured]: [&[f32]; 2]) -> P {
    let mut params = P::ZERO;
    P::visit_mut([&mut params], None, &mut |name, [slice]| {
        let from = if name.is_statistic() { &mut measured } else { &mut learned };
        slice.copy_from_slice(from.split_off(..slice.len()).unwrap());
    });
    params
}

/// Adds gradients to slices.
pub(crate) fn add<P: Params>(gradients: &P, [mut learned, mut measured]: [&mut [f32]; 2]) {
    gradients.visit(None, &mut |name, values| {
        let to = if name.is_statistic() { &mut measured } else { &mut learned };
        let to = to.split_off_mut(..values.len()).unwrap();
        to.iter_mut().zip(values).for_each(|(to, value)| *to += value);
    });
}

impl<X, L> Dynamic<X> for Typed<L>
where
    X: Tensor,
    L: Layer<X, Output = X, Tape: 'static> + Inference<X> + Debug + 'static,
{
    fn forward(&self, params: [&[f32]; 2], x: &mut X, pass: Pass) -> Box<dyn Kept<X>> {
        let mut tape = Box::new(TypedTape::<L, X>(L::Tape::ZERO));
        self.0.forward(&typed(params), x, &mut tape.0, pass);
        tape
    }

    fn backward(
        &self,
        params: [&[f32]; 2],
        x: &mut X,
        kept: &mut dyn Kept<X>,
        grads: Option<[&mut [f32]; 2]>,
        want: InputGradient,
    ) {
        let tape: &mut TypedTape<L, X> = (kept as &mut dyn Downcast).downcast_mut().unwrap();
        let mut gradients = grads.is_some().then_some(L::Params::ZERO);
        self.0.backward(&typed(params), x, &mut tape.0, gradients.as_mut().map(Into::into), want);
        if let (Some(to), Some(gradients)) = (grads, gradients) {
            add(&gradients, to);
        }
    }

    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        self.0.output_gradient(input)
    }

    fn infer(&self, params: [&[f32]; 2], x: &X) -> X {
        // Numbers from before, which a layer must not take for its input.
        let (mut here, mut there) = (vec![9.0; L::BUFFER], vec![-9.0; L::BUFFER]);
        here[..X::LEN].copy_from_slice(x.flat());
        self.0.infer(&typed(params), &mut here, &mut there);
        Values(if L::SWAPS { there } else { here }).tensor()
    }

    fn keeps(&self) -> [bool; 2] {
        [L::KEEPS_INPUT, L::KEEPS_OUTPUT_GRADIENT]
    }
}

/// A layer from `X` to `X` with room for `P` parameters and `S` statistics. `KEEPS`: it keeps its input and its output's gradient.
pub(crate) struct Any<X: 'static, const P: usize, const S: usize, const KEEPS: bool>(&'static dyn Dynamic<X>);

impl<X, const P: usize, const S: usize, const KEEPS: bool> Clone for Any<X, P, S, KEEPS> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<X, const P: usize, const S: usize, const KEEPS: bool> Copy for Any<X, P, S, KEEPS> {}

impl<X, const P: usize, const S: usize, const KEEPS: bool> Debug for Any<X, P, S, KEEPS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The parameters of [`Any`]: as many as there is room for. NaN is where none is used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room<const P: usize, const S: usize> {
    learned: [f32; P],
    measured: [f32; S],
}

impl<const P: usize, const S: usize> Zero for Room<P, S> {
    const ZERO: Self = Self { learned: [0.0; P], measured: [0.0; S] };
}

impl<const P: usize, const S: usize> Params for Room<P, S> {
    const COUNT: usize = P + S;

    fn visit(&self, parent: Option<&Name<'_>>, visitor: &mut dyn FnMut(Name<'_>, &[f32])) {
        visitor(Name::leaf(parent, "learned"), &self.learned);
        visitor(Name::statistic(parent, "measured"), &self.measured);
    }

    fn visit_mut<const SETS: usize>(
        mut sets: [&mut Self; SETS],
        parent: Option<&Name<'_>>,
        visitor: &mut dyn FnMut(Name<'_>, [&mut [f32]; SETS]),
    ) where
        Beside: Parts<SETS>,
    {
        visitor(Name::leaf(parent, "learned"), Beside::parts(&mut sets, |set| set.learned.as_mut_slice()));
        visitor(Name::statistic(parent, "measured"), Beside::parts(&mut sets, |set| set.measured.as_mut_slice()));
    }
}

/// The tape of [`Any`].
pub(crate) struct AnyTape<X>(Option<Box<dyn Kept<X>>>);

impl<X> Zero for AnyTape<X> {
    const ZERO: Self = Self(None);
}

impl<X: Tensor, const P: usize, const S: usize, const KEEPS: bool> Layer<X> for Any<X, P, S, KEEPS> {
    type Output = X;
    type Params = Room<P, S>;
    type Tape = AnyTape<X>;
    const KEEPS_INPUT: bool = KEEPS;
    const KEEPS_OUTPUT_GRADIENT: bool = KEEPS;

    fn forward<'t>(&self, params: &Room<P, S>, x: &'t mut X, tape: &'t mut AnyTape<X>, pass: Pass) -> &'t mut X {
        let kept = tape.0.insert(self.0.forward([&params.learned, &params.measured], x, pass));
        kept.output(x)
    }

    fn output<'t>(x: &'t mut X, tape: &'t mut AnyTape<X>) -> &'t mut X {
        tape.0.as_mut().unwrap().output(x)
    }

    fn backward(
        &self,
        params: &Room<P, S>,
        x: &mut X,
        tape: &mut AnyTape<X>,
        grads: Option<Gradients<'_, Room<P, S>>>,
        want: InputGradient,
    ) {
        let kept = tape.0.as_deref_mut().unwrap();
        let slices = [params.learned.as_slice(), params.measured.as_slice()];
        match grads {
            Some(grads) => grads.add(|grads| {
                let grads = [grads.learned.as_mut_slice(), grads.measured.as_mut_slice()];
                self.0.backward(slices, x, kept, Some(grads), want);
            }),
            None => self.0.backward(slices, x, kept, None, want),
        }
    }

    fn output_gradient(&self, input: InputGradient) -> InputGradient {
        self.0.output_gradient(input)
    }
}

impl<X: Tensor, const P: usize, const S: usize, const KEEPS: bool> Inference<X> for Any<X, P, S, KEEPS> {
    const BUFFER: usize = X::LEN;
    const SWAPS: bool = false;

    fn infer(&self, params: &Room<P, S>, here: &mut [f32], _: &mut [f32]) {
        let input: X = Values(here[..X::LEN].to_vec()).tensor();
        here[..X::LEN].copy_from_slice(self.0.infer([&params.learned, &params.measured], &input).flat());
    }
}

/// A layer and its model.
pub(crate) struct Node<X: 'static> {
    pub(crate) layer: &'static dyn Dynamic<X>,
    model: Box<dyn Stage>,
    /// Its parameters in the order of a visit: whether they are statistics, and how many.
    layout: Vec<(bool, usize)>,
    /// What is learned and what is measured, where that is known already.
    pub(crate) params: [Vec<f32>; 2],
}

pub(crate) fn node<X, L>(layer: L, model: impl Stage + 'static) -> Node<X>
where
    X: Tensor,
    L: Layer<X, Output = X, Tape: 'static> + Inference<X> + Debug + 'static,
{
    let mut layout = Vec::new();
    L::Params::ZERO.visit(None, &mut |name, values| layout.push((name.is_statistic(), values.len())));
    Node { layer: Box::leak(Box::new(Typed(layer))), model: Box::new(model), layout, params: [vec![], vec![]] }
}

/// The model of a [`Node`] in a [`Room`].
#[derive(Debug)]
pub(crate) struct InRoom {
    model: Box<dyn Stage>,
    layout: Vec<(bool, usize)>,
    room: [usize; 2],
}

impl Stage for InRoom {
    fn apply(&self, state: &mut State<'_>) {
        let [mut learned, mut measured] = self.room.map(|count| state.take(count));
        let mut params = Vec::new();
        for (is_statistic, count) in &self.layout {
            let from = if *is_statistic { &mut measured } else { &mut learned };
            params.extend(from.split_off(..*count).unwrap());
        }
        assert!(learned.iter().chain(measured).all(|value| value.is_nan()));
        state.run_with(&*self.model, &params);
    }
}

/// A node in a room of so many places, and its parameters there.
pub(crate) struct Placed<X: 'static, const P: usize, const S: usize, const KEEPS: bool> {
    pub(crate) layer: Any<X, P, S, KEEPS>,
    pub(crate) model: InRoom,
    pub(crate) params: [Vec<f32>; 2],
}

impl<X: Tensor> Node<X> {
    /// With random parameters, if it has none yet.
    pub(crate) fn draw(mut self, values: &mut Values) -> Self {
        for (statistic, params) in [false, true].into_iter().zip(&mut self.params) {
            let count: usize = self.layout.iter().filter(|(is, _)| *is == statistic).map(|(_, count)| count).sum();
            if params.is_empty() {
                *params = values.take(count);
            }
            assert_eq!(params.len(), count);
        }
        self
    }

    pub(crate) fn place<const P: usize, const S: usize, const KEEPS: bool>(self) -> Placed<X, P, S, KEEPS> {
        let Self { layer, model, layout, mut params } = self;
        for (params, room) in params.iter_mut().zip([P, S]) {
            assert!(params.len() <= room, "{} parameters, {room} places: {layer:?}", params.len());
            params.resize(room, f32::NAN);
        }
        assert!(!KEEPS || layer.keeps() == [true, true]);
        Placed { layer: Any(layer), model: InRoom { model, layout, room: [P, S] }, params }
    }
}
