//! Handwritten digits: the main example. A 64-32-10 network learns 1,437 real images and is tested on 360 others.

use backpass::{CrossEntropy, Dense, Learner, Memory, Momentum, Relu, Rng};

use crate::session::{self, Epoch, Event, Plan, Samples};

/// An image: 8 rows of 8 pixels, 0 (white) to 1 (black).
pub type Input = [f32; 64];
/// The number of classes, one a digit.
pub const CLASSES: usize = 10;
/// The number of images.
pub const SAMPLES: usize = 1797;
/// The number of images to train on: four fifths.
pub const TRAINING: usize = SAMPLES * 4 / 5;
/// The number of images to test on.
pub const TEST: usize = SAMPLES - TRAINING;
/// The seed of the shuffle that splits the images.
pub const SPLIT_SEED: u64 = 0;

/// The largest value of a pixel in the file; images are divided by it.
pub const PIXEL_MAX: f32 = 16.0;

const BYTES_PER_SAMPLE: usize = 65;
/// 64 pixels and a class for each image. Source and licence: `data/README.md`.
static DATA: &[u8; SAMPLES * BYTES_PER_SAMPLE] = include_bytes!("../data/digits.bin");

/// The order of the images after the shuffle: the first [`TRAINING`] are for training, the others for the test.
///
/// Fisher and Yates from the end with `Rng::new(SPLIT_SEED)`, as [`Rng::shuffle`] does; made by the compiler, so that on a
/// board it lies in flash.
static SPLIT: [u16; SAMPLES] = split();

const fn split() -> [u16; SAMPLES] {
    let mut order = [0; SAMPLES];
    let mut i = 0;
    while i < SAMPLES {
        order[i] = i as u16;
        i += 1;
    }
    let mut rng = Rng::new(SPLIT_SEED);
    let mut last = SAMPLES - 1;
    while last > 0 {
        order.swap(rng.below(last as u32 + 1) as usize, last);
        last -= 1;
    }
    order
}

/// A part of the images, in the split's order.
#[derive(Debug, Clone, Copy)]
pub struct Digits {
    order: &'static [u16],
}

/// The images to train on.
pub fn training() -> Digits {
    Digits { order: SPLIT.split_at_checked(TRAINING).map_or(&[], |(training, _)| training) }
}

/// The images to test on.
pub fn test() -> Digits {
    Digits { order: SPLIT.split_at_checked(TRAINING).map_or(&[], |(_, test)| test) }
}

impl Samples<Input> for Digits {
    fn len(&self) -> usize {
        self.order.len()
    }

    fn read(&self, index: usize, sample: &mut Input) -> usize {
        let bytes = self.order.get(index).and_then(|&row| DATA.as_chunks::<BYTES_PER_SAMPLE>().0.get(usize::from(row)));
        let Some([pixels @ .., class]) = bytes else { return usize::MAX };
        for (value, pixel) in sample.iter_mut().zip(pixels) {
            *value = f32::from(*pixel) * (1.0 / PIXEL_MAX);
        }
        usize::from(*class)
    }
}

/// The network.
pub type Network<const HIDDEN: usize> = (Dense<HIDDEN>, Relu, Dense<CLASSES>);
/// All its RAM in training.
pub type Ram<const HIDDEN: usize> = Memory<Network<HIDDEN>, Input, Momentum>;
/// The network, its memory and how it learns.
pub type DigitsLearner<'m, const HIDDEN: usize> = Learner<'m, Network<HIDDEN>, Input, CrossEntropy, Momentum>;

/// The hidden layer, where RAM allows it.
pub const HIDDEN: usize = 32;
/// The hidden layer on a board with 16 KB of RAM.
pub const SMALL_HIDDEN: usize = 8;
/// The training images of a board with 16 KB of RAM and no floating-point unit: the first ones of the split.
pub const SMALL_TRAINING: usize = 600;

/// How the digits are learned unless something else is asked for.
pub const PLAN: Plan = Plan { epochs: 30, batch: 8, seed: 1 };
/// The descent that suits [`PLAN`].
pub const OPTIMIZER: Momentum = Momentum::new(0.03, 0.9);

/// Joins the network with its memory.
pub fn learner<const HIDDEN: usize>(memory: &mut Ram<HIDDEN>) -> DigitsLearner<'_, HIDDEN> {
    Learner::new(memory, (Dense::new(), Relu, Dense::new()), CrossEntropy, OPTIMIZER)
}

/// How often a board sees each training image.
pub const BOARD_EPOCHS: u32 = 3;

/// What a board runs: [`BOARD_EPOCHS`] epochs over as many training images as `order` has room for, and the test.
///
/// `order` needs no contents; a board with little RAM passes a shorter one.
pub fn run<const HIDDEN: usize>(
    learner: &mut DigitsLearner<'_, HIDDEN>,
    order: &mut [u32],
    log: &mut dyn FnMut(Event),
) -> Option<Epoch> {
    session::run(learner, &training(), &test(), order, Plan { epochs: BOARD_EPOCHS, ..PLAN }, log)
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn all(part: Digits) -> Vec<(Input, usize)> {
        let mut sample = [0.0; 64];
        (0..part.len())
            .map(|i| {
                let class = part.read(i, &mut sample);
                (sample, class)
            })
            .collect()
    }

    #[test]
    fn the_data_are_the_published_set() {
        let (training, test) = (all(training()), all(test()));
        assert_eq!((training.len(), test.len()), (1437, 360));
        let mut counts = [0; CLASSES];
        training.iter().chain(&test).for_each(|(_, class)| counts[*class] += 1);
        // scikit-learn's `load_digits` has these numbers of 0 to 9.
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        let sum: f32 = training.iter().chain(&test).map(|(image, _)| image.iter().sum::<f32>()).sum();
        // The sum of all pixels of `load_digits().data` is 561,718.
        assert_eq!(sum * PIXEL_MAX, 561_718.0);
    }

    #[test]
    fn the_split_is_the_documented_shuffle() {
        let mut order: [u16; SAMPLES] = core::array::from_fn(|i| i as u16);
        Rng::new(SPLIT_SEED).shuffle(&mut order);
        assert_eq!(SPLIT, order);
    }

    #[test]
    fn every_class_is_in_both_parts() {
        for part in [training(), test()] {
            let classes = all(part).iter().fold([0; CLASSES], |mut counts, (_, class)| {
                counts[*class] += 1;
                counts
            });
            assert!(classes.iter().all(|n| *n * CLASSES * 2 > part.len()), "{classes:?}");
        }
    }

    #[test]
    fn past_the_end_there_is_no_class() {
        assert!(test().read(TEST, &mut [0.0; 64]) >= CLASSES);
    }

    #[test]
    fn a_board_learns_most_digits() {
        let mut memory = Ram::<32>::new();
        let mut learner = learner(&mut memory);
        let epoch = run(&mut learner, &mut [0; TRAINING], &mut |_| {}).unwrap();
        assert!(epoch.test_accuracy() > 0.9, "{epoch:?}");
        assert_eq!((learner.observed(), learner.refused()), (BOARD_EPOCHS * 1437, 0));
    }
}
