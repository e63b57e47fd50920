//! Training reaches what it should: XOR and a small regression, with every optimizer; memory, with recurrent layers.

use backpass::{
    Adam, Bias, CrossEntropy, Dense, Gru, Last, Layer, Learner, Lstm, MeanSquaredError, Memory, Momentum, Optimizer,
    ResetBefore, Rng, Rnn, Sgd, Signal, Tanh, Tensor,
};

const XOR: [([f32; 2], usize); 4] = [([0.0, 0.0], 0), ([0.0, 1.0], 1), ([1.0, 0.0], 1), ([1.0, 1.0], 0)];

/// Trains the README's network on XOR, the four samples as one mini-batch, and returns the largest loss of any sample.
fn learn_xor<O: Optimizer>(optimizer: O, epochs: usize, seed: u64) -> f32 {
    let mut memory = Memory::<(Dense<8>, Tanh, Dense<2>), [f32; 2], O>::new();
    let mut learner = Learner::new(&mut memory, (Dense::new(), Tanh, Dense::new()), CrossEntropy, optimizer);
    learner.initialize(seed);
    for _ in 0..epochs {
        for (sample, class) in &XOR {
            learner.observe(sample, class).unwrap();
        }
        learner.update().unwrap();
    }
    let mut worst = 0.0_f32;
    for (sample, class) in &XOR {
        let (loss, output) = learner.evaluate(sample, class).unwrap();
        assert_eq!(output.argmax(), *class, "seed {seed}, sample {sample:?}");
        worst = worst.max(loss);
    }
    worst
}

/// Checks the largest loss of any sample, from each of the seeds 1 to `seeds`.
fn check_xor<O: Optimizer + Copy>(optimizer: O, epochs: usize, seeds: u64) {
    for seed in 1..=seeds {
        let loss = learn_xor(optimizer, epochs, seed);
        assert!(loss < 0.01, "seed {seed}: loss {loss}");
    }
}

#[test]
fn the_readme_example_learns_xor_from_every_seed() {
    check_xor(Adam::new(0.05), 300, 20);
}

#[test]
fn sgd_learns_xor() {
    check_xor(Sgd::new(0.5), 2000, 5);
}

#[test]
fn momentum_learns_xor() {
    check_xor(Momentum::new(0.1, 0.9), 1000, 5);
}

#[test]
fn nesterov_momentum_learns_xor() {
    check_xor(Momentum::new(0.1, 0.9).nesterov(), 1000, 5);
}

/// Fits `y = x0² - x1 / 2` on a grid of 25 points, all of them a step; returns the mean loss before and after.
fn fit_parabola<O: Optimizer>(optimizer: O, seed: u64) -> (f32, f32) {
    let mut memory = Memory::<(Dense<12>, Tanh, Dense<1>), [f32; 2], O>::new();
    let mut learner = Learner::new(&mut memory, (Dense::new(), Tanh, Dense::new()), MeanSquaredError, optimizer);
    learner.initialize(seed);
    let samples: Vec<([f32; 2], [f32; 1])> = (0..25)
        .map(|i| [(i % 5) as f32 * 0.5 - 1.0, (i / 5) as f32 * 0.5 - 1.0])
        .map(|x| (x, [x[0] * x[0] - 0.5 * x[1]]))
        .collect();
    let before = mean_loss(&mut learner, &samples);
    for _ in 0..500 {
        for (x, y) in &samples {
            learner.observe(x, y).unwrap();
        }
        learner.update().unwrap();
    }
    (before, mean_loss(&mut learner, &samples))
}

fn mean_loss<N, O>(learner: &mut Learner<'_, N, [f32; 2], MeanSquaredError, O>, samples: &[([f32; 2], [f32; 1])]) -> f32
where
    N: Layer<[f32; 2], Output = [f32; 1]>,
    O: Optimizer,
{
    samples.iter().map(|(x, y)| learner.evaluate(x, y).unwrap().0).sum::<f32>() / samples.len() as f32
}

/// The targets have a variance of 0.3, the loss of a network that only learned their mean; 0.005 is a sixtieth of it.
fn check_parabola<O: Optimizer + Copy>(optimizer: O) {
    for seed in 1..=10 {
        let (before, after) = fit_parabola(optimizer, seed);
        assert!(after < 0.005 && after < before, "seed {seed}: {before} to {after}");
    }
}

#[test]
fn sgd_fits_a_parabola() {
    check_parabola(Sgd::new(0.3));
}

#[test]
fn momentum_fits_a_parabola() {
    check_parabola(Momentum::new(0.05, 0.9));
}

#[test]
fn nesterov_momentum_fits_a_parabola() {
    check_parabola(Momentum::new(0.05, 0.9).nesterov());
}

#[test]
fn adam_fits_a_parabola() {
    check_parabola(Adam::new(0.02));
}

/// Trains on windows that `draw` gives with their class, in mini-batches of 8; returns how many of 200 others are classified
/// rightly.
fn learn_windows<N, const T: usize>(
    draw: fn(&mut Rng) -> (Signal<T, 1>, usize),
    rate: f32,
    updates: usize,
    seed: u64,
) -> usize
where
    N: Layer<Signal<T, 1>, Output = [f32; 2]> + Default,
{
    let mut memory = Memory::<N, Signal<T, 1>, Adam>::new();
    let mut learner = Learner::new(&mut memory, N::default(), CrossEntropy, Adam::new(rate));
    learner.initialize(seed);
    let mut rng = Rng::new(seed + 1000);
    for _ in 0..updates {
        for _ in 0..8 {
            let (window, class) = draw(&mut rng);
            learner.observe(&window, &class).unwrap();
        }
        learner.update().unwrap();
    }
    let right = |(window, class)| learner.predict(&window).argmax() == class;
    (0..200).map(|_| draw(&mut rng)).map(right).filter(|right| *right).count()
}

/// Bits as -1 and 1; the class is whether an odd number of them are ones.
fn parity(rng: &mut Rng) -> (Signal<4, 1>, usize) {
    let bits = [(); 4].map(|()| rng.below(2) as usize);
    (bits.map(|bit| [bit as f32 * 2.0 - 1.0]), bits.iter().sum::<usize>() % 2)
}

/// A bit, as -1 or 1, then noise; the class is the bit.
fn first_of_20(rng: &mut Rng) -> (Signal<20, 1>, usize) {
    let bit = rng.below(2) as usize;
    let mut window = [(); 20].map(|()| [rng.symmetric(0.3)]);
    window[0] = [bit as f32 * 2.0 - 1.0];
    (window, bit)
}

fn check_memory<L: Layer<Signal<20, 1>, Output = [f32; 8]> + Default>() {
    for seed in 1..=5 {
        let right = learn_windows::<(L, Dense<2>), 20>(first_of_20, 0.01, 200, seed);
        assert!(right >= 198, "seed {seed}: {right} of 200");
    }
}

#[test]
fn a_gru_remembers_the_first_of_20_steps() {
    check_memory::<Gru<8>>();
}

#[test]
fn a_gru_with_reset_before_the_product_remembers_the_first_of_20_steps() {
    check_memory::<Gru<8, Last, Bias, ResetBefore>>();
}

#[test]
fn an_lstm_remembers_the_first_of_20_steps() {
    check_memory::<Lstm<8>>();
}

#[test]
fn a_simple_recurrent_layer_learns_parity() {
    for seed in 1..=5 {
        assert_eq!(learn_windows::<(Rnn<8>, Dense<2>), 4>(parity, 0.02, 400, seed), 200, "seed {seed}");
    }
}
