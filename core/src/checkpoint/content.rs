//! What of a learner is in a checkpoint.

use core::fmt::{self, Write};

use super::error::Part;
use super::fingerprint::Fingerprint;
use super::format::Contents;
use super::persist::{Archive, Mode, Persist, Stream};
use crate::descend::largest;
use crate::kernel::elementwise::larger;
use crate::layer::Layer;
use crate::memory::{Bounds, Memory, Training};
use crate::optimizer::State;
use crate::params::Params;
use crate::tensor::Tensor;

/// What the header is to say. The error is a part that holds a value which could not be loaded.
pub(crate) fn describe<N: Layer<X>, X: Tensor, O: Training<N, X>, E: Persist + ?Sized>(
    memory: &Memory<N, X, O>,
    extra: &mut E,
) -> (Contents, Option<Part>) {
    let network = network_fingerprint::<N, X>(&memory.params);
    let mut words = 0;
    let mut state = memory.state;
    state.words(&mut |_| words += 1);
    let moments = memory.moments.as_ref();
    let optimizer = Fingerprint::new().text(O::NAME).number(moments.len()).number(words);

    let mut description = Description { fingerprint: Fingerprint::new(), length: 0 };
    let mut archive = Archive::new(Mode::Describe, &mut description);
    extra.persist(&mut archive);
    let valid = archive.valid;

    let pending = memory.counters.pending > 0;
    let gradients = O::accumulated(&memory.gradients).filter(|_| pending);
    let parameters = bytes(N::Params::COUNT);
    let contents = Contents {
        lengths: [
            parameters,
            parameters.saturating_mul(moments.len() as u32),
            bytes(words),
            gradients.map_or(0, |_| parameters),
            description.length,
        ],
        counters: memory.counters,
        bounds: Bounds {
            gradients: if pending { memory.bounds.gradients } else { 0.0 },
            values: if memory.bounds.values.is_nan() { f32::INFINITY } else { memory.bounds.values },
        },
        fingerprints: [network, optimizer, description.fingerprint].map(|fingerprint| fingerprint.value()),
    };
    let invalid = if !largest(&memory.params).is_finite() {
        Some(Part::Parameters)
    } else if !moments.iter().all(|moment| largest(moment).is_finite()) {
        Some(Part::Moments)
    } else if gradients.is_some_and(|gradients| !largest(gradients).is_finite()) {
        Some(Part::Gradients)
    } else if !memory.state.is_valid() {
        Some(Part::State)
    } else {
        (!valid).then_some(Part::Extra)
    };
    (contents, invalid)
}

/// The fingerprint of a network, by which a checkpoint knows whose it is: FNV-1a over `f32`, the names of its layers, and the name, length
/// and axes of each array of its parameters. It says nothing of their values.
///
/// ```
/// use backpass::checkpoint::network_fingerprint;
/// use backpass::{Dense, Relu, Zero, Layer};
/// type Net = (Dense<3>, Relu);
/// type Other = (Dense<4>, Relu);
/// let (one, other) = (<Net as Layer<[f32; 2]>>::Params::ZERO, <Other as Layer<[f32; 2]>>::Params::ZERO);
/// assert_ne!(network_fingerprint::<Net, [f32; 2]>(&one), network_fingerprint::<Other, [f32; 2]>(&other));
/// ```
pub fn network_fingerprint<N: Layer<X>, X>(params: &N::Params) -> Fingerprint {
    let mut network = Fingerprint::new().text("f32");
    N::names(&mut |name| network = network.text(name));
    params.visit(None, &mut |name, values| {
        let mut text = Text(network);
        // Fingerprints have no errors.
        let _ = write!(text, "{name}");
        let mut axes = 0;
        name.axes(&mut |_| axes += 1);
        network = text.0.bytes(&[0]).number(values.len()).number(axes);
        name.axes(&mut |length| network = network.number(length));
    });
    network
}

/// Writes a part.
pub(crate) fn save<N: Layer<X>, X: Tensor, O: Training<N, X>, E: Persist + ?Sized>(
    memory: &Memory<N, X, O>,
    extra: &mut E,
    part: Part,
    archive: &mut Archive<'_>,
) {
    match part {
        Part::Parameters => put(&memory.params, archive),
        Part::Moments => memory.moments.as_ref().iter().for_each(|moment| put(moment, archive)),
        Part::State => {
            let mut state = memory.state;
            state.words(&mut |word| {
                archive.u32(word);
            });
        }
        Part::Gradients => {
            if let (Some(gradients), 1..) = (O::accumulated(&memory.gradients), memory.counters.pending) {
                put(gradients, archive);
            }
        }
        Part::Extra => extra.persist(archive),
        Part::Header | Part::Commit => {}
    }
}

/// Checks or loads a part of a checkpoint whose header is `stored`.
pub(crate) fn load<N: Layer<X>, X: Tensor, O: Training<N, X>, E: Persist + ?Sized>(
    memory: &mut Memory<N, X, O>,
    extra: &mut E,
    stored: &Contents,
    part: Part,
    archive: &mut Archive<'_>,
) {
    match part {
        Part::Parameters => get(&mut memory.params, archive),
        Part::Moments => memory.moments.as_mut().iter_mut().for_each(|moment| get(moment, archive)),
        Part::State => {
            let mut state = memory.state;
            state.words(&mut |word| *word = archive.u32(word));
            archive.require(state.is_valid());
            if archive.mode == Mode::Load {
                memory.state = state;
            }
        }
        Part::Gradients => {
            if stored.counters.pending > 0 {
                match O::accumulated_mut(&mut memory.gradients) {
                    Some(gradients) => get(gradients, archive),
                    // Nothing can be pending for this rule.
                    None => archive.require(false),
                }
            }
        }
        Part::Extra => extra.persist(archive),
        Part::Header | Part::Commit => {}
    }
}

/// Takes over what the header says, after all parts were loaded.
pub(crate) fn finish<N: Layer<X>, X: Tensor, O: Training<N, X>>(memory: &mut Memory<N, X, O>, stored: &Contents) {
    let Memory { params, gradients, moments, counters, bounds, .. } = memory;
    *counters = stored.counters;
    // Bounds that are too low would let a step overflow, and so would moments that no step has left, such as a negative second one: NaN
    // lets the next step run dry first.
    let is_known = moments.as_ref().is_empty() && stored.bounds.values >= largest(params);
    bounds.values = if is_known { stored.bounds.values } else { f32::NAN };
    let accumulated = O::accumulated(gradients).filter(|_| counters.pending > 0).map_or(0.0, largest);
    bounds.gradients = larger(accumulated, stored.bounds.gradients);
}

fn put<P: Params>(params: &P, archive: &mut Archive<'_>) {
    params.visit(None, &mut |_, values| archive.put(values));
}

fn get<P: Params>(params: &mut P, archive: &mut Archive<'_>) {
    P::visit_mut([params], None, &mut |_, [values]| archive.finite(values));
}

/// The bytes of so many numbers.
fn bytes(count: usize) -> u32 {
    u32::try_from(count).map_or(u32::MAX, |count| count.saturating_mul(4))
}

/// A text, taken into a fingerprint.
struct Text(Fingerprint);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.bytes(text.as_bytes());
        Ok(())
    }
}

/// Counts an archive's bytes and takes down their types.
struct Description {
    fingerprint: Fingerprint,
    length: u32,
}

impl Stream for Description {
    fn pass(&mut self, bytes: &mut [u8]) {
        self.length = self.length.saturating_add(bytes.len() as u32);
    }

    fn describe(&mut self, text: &str, count: usize) {
        self.fingerprint = self.fingerprint.text(text).number(count);
    }

    fn position(&self) -> u32 {
        self.length
    }
}
