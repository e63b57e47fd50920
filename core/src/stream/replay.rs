//! A memory of earlier samples.

use crate::checkpoint::{Archive, Persist};
use crate::rng::Rng;
use crate::stream::error::{ClassOutOfRange, ReplayError, SampleError};
use crate::tensor::{Tensor, Zero};

/// A sample as it is kept in a [`Replay`] memory: any [`Tensor`] as it is, or [`Quantized`](crate::stream::Quantized).
pub trait Stored: Zero {
    /// Hands all of it to a checkpoint, and requires that it is finite; see [`Persist`].
    fn persist(&mut self, archive: &mut Archive<'_>);
}

impl<X: Tensor> Stored for X {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("f32");
        archive.finite(self.flat_mut());
    }
}

/// What keeps samples of type `X`.
pub trait Storage<X>: Stored {
    /// Keeps a sample, in the place of the one before. It is finite.
    fn store(&mut self, sample: &X);

    /// Writes the sample that is kept.
    fn write(&self, sample: &mut X);
}

impl<X: Tensor> Storage<X> for X {
    fn store(&mut self, sample: &X) {
        self.flat_mut().copy_from_slice(sample.flat());
    }

    fn write(&self, sample: &mut X) {
        sample.flat_mut().copy_from_slice(self.flat());
    }
}

/// Which samples a [`Replay`] memory keeps: [`Reservoir`](crate::stream::Reservoir) or
/// [`ClassBalanced`](crate::stream::ClassBalanced). All zeros before the first sample.
pub trait Sampling<L>: Zero {
    /// Where to put the next sample: at the end (`stored.len()`) while there is place, in the place of another, or nowhere. `stored`
    /// has the labels in the memory, at most `capacity`, and `label` is that of the new sample.
    ///
    /// # Errors
    /// [`ClassOutOfRange`]; nothing has changed then.
    fn place(
        &mut self,
        stored: &[L],
        capacity: usize,
        label: &L,
        rng: &mut Rng,
    ) -> Result<Option<usize>, ClassOutOfRange>;

    /// Hands what is counted, and the labels in all places of the memory, to a checkpoint; the first `len` places are used. See
    /// [`Persist`].
    fn persist(&mut self, labels: &mut [L], len: usize, archive: &mut Archive<'_>);
}

/// A memory of `N` earlier samples with their labels, for experience replay: a network that learns from it along with new samples
/// does not forget the old ones.
///
/// `S` is how a sample is kept: its own type, say `[f32; 64]`, or [`Quantized<64>`](crate::stream::Quantized), a quarter of that. `L` is
/// the label: a class as `u8`, `u16` or `usize`, any other target that can be copied, or `()`. `P` is which samples are kept:
/// [`Reservoir`](crate::stream::Reservoir), or [`ClassBalanced<K>`](crate::stream::ClassBalanced) for labels that are classes. Nothing but the seed is random.
///
/// Source of the method: Chaudhry et al., "On tiny episodic memories in continual learning" (2019).
///
/// ```
/// use backpass::stream::{ClassBalanced, Quantized, Replay};
/// use backpass::{CrossEntropy, Dense, Learner, Memory, Sgd};
/// use static_cell::ConstStaticCell;
///
/// type Past = Replay<Quantized<16>, u8, ClassBalanced<4>, 50>;
/// static PAST: ConstStaticCell<Past> = ConstStaticCell::new(Past::new()); // zeros: .bss, no flash
/// const _: () = assert!(size_of::<Past>() <= 50 * (16 + 8 + 1) + 44);
///
/// let mut memory = Memory::<Dense<4>, [f32; 16], Sgd>::new();
/// let mut learner = Learner::new(&mut memory, Dense::new(), CrossEntropy, Sgd::new(0.1));
/// learner.initialize(1);
/// let past = PAST.take();
/// for step in 0..200 {
///     let class: usize = step / 50; // one class after another
///     let sample = [class as f32 - 1.5; 16];
///     learner.observe(&sample, &class)?;
///     // Three of the past with each new sample, straight into the network's input.
///     for _ in 0..3 {
///         if let Some(earlier) = past.choose() {
///             learner.observe_with(|input| earlier.write(input), &usize::from(earlier.label()))?;
///         }
///     }
///     learner.update()?;
///     past.add(&sample, class as u8)?;
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Replay<S, L, P, const N: usize> {
    samples: [S; N],
    labels: [L; N],
    /// At most `N`.
    len: u32,
    sampling: P,
    rng: Rng,
}

impl<S: Zero, L: Zero, P: Zero, const N: usize> Replay<S, L, P, N> {
    /// An empty memory that draws from seed 0: all zeros, so that a static lies in `.bss`.
    pub const fn new() -> Self {
        Self::seeded(0)
    }

    /// An empty memory that draws from `seed`.
    pub const fn seeded(seed: u64) -> Self {
        const { assert!(N > 0 && N <= u32::MAX as usize, "Replay: it has place for no samples, or for too many") };
        Self { samples: [S::ZERO; N], labels: [L::ZERO; N], len: 0, sampling: P::ZERO, rng: Rng::new(seed) }
    }

    /// Draws from `seed` from now on.
    pub const fn seed(&mut self, seed: u64) {
        self.rng = Rng::new(seed);
    }

    /// Forgets all samples, and that they came. The random generator goes on.
    pub fn clear(&mut self) {
        (self.len, self.sampling) = (0, P::ZERO);
    }
}

impl<S, L: Copy, P, const N: usize> Replay<S, L, P, N> {
    /// Remembers a sample, or passes over it, as the rule `P` draws. Whether it is remembered.
    ///
    /// # Errors
    /// [`ReplayError`]: an element is not finite, or the class does not exist. Nothing has changed then.
    pub fn add<X: Tensor>(&mut self, sample: &X, label: L) -> Result<bool, ReplayError>
    where
        S: Storage<X>,
        P: Sampling<L>,
    {
        SampleError::check_finite(sample.flat())?;
        let stored = self.labels.get(..self.len as usize).unwrap_or_default();
        let Some(place) = self.sampling.place(stored, N, &label, &mut self.rng)? else { return Ok(false) };
        let (Some(slot), Some(its_label)) = (self.samples.get_mut(place), self.labels.get_mut(place)) else {
            return Ok(false);
        };
        slot.store(sample);
        *its_label = label;
        if place >= self.len as usize {
            self.len += 1;
        }
        Ok(true)
    }

    /// One of the remembered samples, each with the same probability; `None` of none.
    pub fn choose(&mut self) -> Option<Example<'_, S, L>> {
        let index = self.rng.below(self.len) as usize;
        self.get(index)
    }

    /// The sample in one place; `None` from [`len`](Self::len) on.
    pub fn get(&self, index: usize) -> Option<Example<'_, S, L>> {
        if index >= self.len() {
            return None;
        }
        Some(Example { sample: self.samples.get(index)?, label: *self.labels.get(index)? })
    }

    /// How many samples are remembered: `N` at most.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether nothing is remembered.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The rule by which samples are kept, which has counted them.
    pub const fn sampling(&self) -> &P {
        &self.sampling
    }
}

impl<S: Stored, L, P: Sampling<L>, const N: usize> Persist for Replay<S, L, P, N> {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("Replay");
        let len = archive.u32(&mut self.len) as usize;
        archive.require(len <= N);
        self.rng.persist(archive);
        self.sampling.persist(&mut self.labels, len, archive);
        self.samples.iter_mut().for_each(|sample| sample.persist(archive));
    }
}

impl<S: Zero, L: Zero, P: Zero, const N: usize> Default for Replay<S, L, P, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Zero, L: Zero, P: Zero, const N: usize> Zero for Replay<S, L, P, N> {
    const ZERO: Self = Self::new();
}

/// A remembered sample with its label.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Example<'r, S, L> {
    sample: &'r S,
    label: L,
}

impl<S, L: Copy> Example<'_, S, L> {
    /// Writes the sample, into the network's input say; see [`Learner::observe_with`](crate::Learner::observe_with).
    pub fn write<X>(&self, input: &mut X)
    where
        S: Storage<X>,
    {
        self.sample.write(input);
    }

    /// Its label.
    pub const fn label(&self) -> L {
        self.label
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{ClassBalanced, Quantized, Reservoir, ValueError};

    #[test]
    fn quantised_samples_take_a_quarter_of_the_memory() {
        type Plain = Replay<[f32; 64], u8, ClassBalanced<10>, 200>;
        type Small = Replay<Quantized<64>, u8, ClassBalanced<10>, 200>;
        const { assert!(size_of::<Plain>() == 200 * (256 + 1) + 64) };
        const { assert!(size_of::<Small>() == 200 * (64 + 8 + 1) + 64) };
    }

    #[test]
    fn it_fills_up_and_then_holds_its_number() {
        let mut replay = Replay::<[f32; 2], u16, Reservoir, 3>::new();
        assert!(replay.is_empty() && replay.choose().is_none() && replay.get(0).is_none());
        for i in 0..3_u16 {
            assert_eq!(replay.add(&[f32::from(i); 2], i), Ok(true));
            assert_eq!(replay.len(), usize::from(i) + 1);
        }
        for i in 3..100_u16 {
            replay.add(&[f32::from(i); 2], i).unwrap();
            for place in 0..3 {
                let mut sample = [0.0; 2];
                let example = replay.get(place).unwrap();
                example.write(&mut sample);
                assert_eq!(sample, [f32::from(example.label()); 2]);
            }
        }
        assert!(replay.get(3).is_none());
        assert_eq!(replay.sampling().seen(), 100);
        replay.clear();
        assert!(replay.is_empty());
    }

    #[test]
    fn what_is_refused_changes_nothing_not_even_the_random_numbers() {
        let mut replay = Replay::<[f32; 2], u8, Reservoir, 1>::seeded(4);
        replay.add(&[1.0; 2], 1).unwrap();
        let before = replay;
        let error = SampleError { index: 1, error: ValueError::NotFinite };
        assert_eq!(replay.add(&[1.0, f32::NAN], 1), Err(ReplayError::Sample(error)));
        assert_eq!(replay, before);
    }

    #[test]
    fn every_remembered_sample_is_chosen_equally_often() {
        let mut replay = Replay::<f32, u8, Reservoir, 5>::seeded(1);
        for i in 0..5 {
            replay.add(&0.0, i).unwrap();
        }
        let mut counts = [0_u32; 5];
        for _ in 0..10_000 {
            counts[usize::from(replay.choose().unwrap().label())] += 1;
        }
        // Deviation 40.
        assert!(counts.iter().all(|count| (1850..2150).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_same_seed_keeps_the_same_samples() {
        let run = |seed| {
            let mut replay = Replay::<f32, (), Reservoir, 10>::seeded(seed);
            (0..500).for_each(|i| assert!(replay.add(&(i as f32), ()).is_ok()));
            replay
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1).samples, run(2).samples);
    }
}
