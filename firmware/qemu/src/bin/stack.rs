//! Measures how much stack each operation of a learner needs, for each example network, by painting the free part of the stack
//! before and looking afterwards how far down the paint is gone. Beside it: the largest single copy of memory that the operation
//! made, because this image brings its own `memcpy`, which notes sizes.

#![no_std]
#![no_main]

use backpass::checkpoint::Store;
use backpass::memory::Training;
use backpass::{
    Adam, Conv1d, CrossEntropy, Dense, Descend, GlobalAveragePool, Gru, InPlace, Layer, Learner, Loss, Lstm,
    MeanSquaredError, Memory, Optimizer, Relu, Rng, Rnn, Sgd, Signal, Tensor,
};
use backpass_app::mlperf_tiny::{Autoencoder, DsCnn, MobileNet, Photo, ResNet8, Scene, Sound, Speech};
use backpass_app::ram_flash::RamFlash;
use backpass_app::workloads::{Digits, SmallAutoencoder, SmallConvolution};
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_SUCCESS};
use defmt_semihosting as _;
use portable_atomic as _;
use static_cell::ConstStaticCell;

#[path = "../copies.rs"]
mod copies;
#[path = "../peak.rs"]
mod peak;
#[path = "../stop.rs"]
mod stop;

/// Motion seen by a convolution along time.
type Motion = (Conv1d<Signal<64, 16>, 5>, Relu, GlobalAveragePool, Dense<4>);
/// Words by their sound.
type Gated = (Gru<16>, Dense<4>);
type Long = (Lstm<16>, Dense<4>);
type Simple = (Rnn<16>, Dense<4>);
type Window = Signal<32, 6>;

/// Bytes of flash: two slots for the largest network's parameters.
const FLASH: u32 = 4 << 20;
static BYTES: ConstStaticCell<[u8; FLASH as usize]> = ConstStaticCell::new([0; FLASH as usize]);

/// Measures a network in memory of its own.
macro_rules! measure {
    ($store:ident $measure:ident $name:literal, $network:ty, $sample:ty, $loss:expr, $rule:ty, $target:expr) => {{
        static MEMORY: ConstStaticCell<Memory<$network, $sample, $rule>> = ConstStaticCell::new(Memory::new());
        static SAMPLE: ConstStaticCell<$sample> = ConstStaticCell::new(<$sample as backpass::Zero>::ZERO);
        let sample = SAMPLE.take();
        let mut rng = Rng::new(2);
        sample.flat_mut().iter_mut().for_each(|value| *value = rng.unit());
        let target: fn(&$sample) -> &_ = $target;
        let (network, loss, rule) = (<$network>::default(), $loss, <$rule>::new(0.01));
        $measure(&mut $store, $name, sample, target(sample), Learner::new(MEMORY.take(), network, loss, rule));
    }};
}

#[entry]
fn main() -> ! {
    stop::arm(None);
    let Ok(mut store) = Store::new(RamFlash::new(BYTES.take()), 0..FLASH) else { panic!("no store") };
    measure!(store by_gradient "MLP digits 64-32-10", Digits, [f32; 64], CrossEntropy, Sgd, |_| &3);
    measure!(store by_gradient "MLP digits 64-32-10, Adam", Digits, [f32; 64], CrossEntropy, Adam, |_| &3);
    measure!(store in_place "MLP digits 64-32-10, in place", Digits, [f32; 64], CrossEntropy, InPlace, |_| &3);
    measure!(store by_gradient "MLP autoencoder 640-128-128-8", SmallAutoencoder, Sound, MeanSquaredError, Sgd, |x| x);
    measure!(store by_gradient "MLP anomaly detection, MLPerf Tiny", Autoencoder, Sound, MeanSquaredError, Sgd, |x| x);
    type Picture = backpass::Image<16, 16, 1>;
    measure!(store by_gradient "convolution 16x16", SmallConvolution, Picture, CrossEntropy, Sgd, |_| &3);
    measure!(store by_gradient "convolution 16x16, Adam", SmallConvolution, Picture, CrossEntropy, Adam, |_| &3);
    measure!(store in_place "convolution 16x16, in place", SmallConvolution, Picture, CrossEntropy, InPlace, |_| &3);
    measure!(store by_gradient "convolution along time", Motion, Signal<64, 4>, CrossEntropy, Sgd, |_| &3);
    measure!(store by_gradient "keyword spotting, MLPerf Tiny", DsCnn, Speech, CrossEntropy, Sgd, |_| &3);
    measure!(store by_gradient "image classification, MLPerf Tiny", ResNet8, Photo, CrossEntropy, Sgd, |_| &3);
    measure!(store by_gradient "visual wake words, MLPerf Tiny", MobileNet, Scene, CrossEntropy, Sgd, |_| &1);
    measure!(store by_gradient "simple recurrent", Simple, Window, CrossEntropy, Sgd, |_| &3);
    measure!(store by_gradient "gated recurrent", Gated, Window, CrossEntropy, Adam, |_| &3);
    measure!(store by_gradient "long short-term", Long, Window, CrossEntropy, Sgd, |_| &3);
    measure!(store in_place "gated recurrent, in place", Gated, Window, CrossEntropy, InPlace, |_| &3);
    debug::exit(EXIT_SUCCESS);
    loop {
        cortex_m::asm::wfi();
    }
}

/// A learner with a gradient array.
#[inline(never)]
fn by_gradient<N, X, L, T, O>(
    store: &mut Store<RamFlash<'_>>,
    name: &'static str,
    sample: &X,
    target: &T,
    mut learner: Learner<'_, N, X, L, O>,
) where
    N: Layer<X, Output: Tensor>,
    X: Tensor,
    L: Loss<N::Output, T>,
    O: Optimizer,
{
    let sizes = sizes(name, &learner);
    learner.initialize(1);
    sizes.operation("predict", &mut || learner.predict(sample).flat().iter().all(|value| value.is_finite()));
    // The first sample overwrites the gradients of the step before, the others add to them.
    sizes.operation("observe", &mut || learner.observe(sample, target).is_ok());
    sizes.operation("observe", &mut || learner.observe(sample, target).is_ok());
    sizes.operation("update", &mut || learner.update().is_ok());
    // Unknown bounds: the step runs dry first.
    let _ = learner.params_mut();
    sizes.operation("observe", &mut || learner.observe(sample, target).is_ok());
    sizes.operation("update", &mut || learner.update().is_ok());
    sizes.operation("save", &mut || store.save(&learner, &mut ()).is_ok());
    sizes.operation("load", &mut || store.load(&mut learner, &mut ()).is_ok());
}

/// A learner without one.
#[inline(never)]
fn in_place<N, X, L, T>(
    store: &mut Store<RamFlash<'_>>,
    name: &'static str,
    sample: &X,
    target: &T,
    mut learner: Learner<'_, N, X, L, InPlace>,
) where
    N: Descend<X> + Layer<X, Output: Tensor>,
    X: Tensor,
    L: Loss<N::Output, T>,
{
    let sizes = sizes(name, &learner);
    learner.initialize(1);
    sizes.operation("predict", &mut || learner.predict(sample).flat().iter().all(|value| value.is_finite()));
    sizes.operation("train", &mut || learner.train(sample, target).is_ok());
    sizes.operation("train", &mut || learner.train(sample, target).is_ok());
    sizes.operation("save", &mut || store.save(&learner, &mut ()).is_ok());
    sizes.operation("load", &mut || store.load(&mut learner, &mut ()).is_ok());
}

/// What is said beside the stack.
struct Sizes {
    name: &'static str,
    parameters: usize,
    total: usize,
}

fn sizes<N: Layer<X>, X: Tensor, L, O: Training<N, X>>(name: &'static str, _: &Learner<'_, N, X, L, O>) -> Sizes {
    Sizes { name, parameters: Memory::<N, X, O>::PARAMETERS, total: Memory::<N, X, O>::TOTAL }
}

impl Sizes {
    fn operation(&self, operation: &'static str, run: &mut dyn FnMut() -> bool) {
        copies::forget();
        let (done, stack) = peak::peak(run);
        let copied = copies::largest();
        defmt::info!(
            "stack {=str} {=bool} {=usize} copied {=usize} parameters {=usize} total {=usize} of {=str}",
            operation,
            done,
            stack,
            copied,
            self.parameters,
            self.total,
            self.name
        );
    }
}
