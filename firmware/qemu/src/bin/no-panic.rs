//! Links only if no panic can be reached: `panic_never` has no panic function to offer. Uses every layer, loss and
//! optimizer of the core, and runs in QEMU.

#![no_std]
#![no_main]

use core::hint::black_box;

use backpass::{
    Adam, CrossEntropy, Dense, Flatten, Layer, LeakyRelu, Learner, Loss, MeanSquaredError, Memory, Momentum, NoBias,
    Optimizer, Relu, Sgd, Sigmoid, Tanh, Tensor,
};
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use panic_never as _;
use portable_atomic as _;
use static_cell::ConstStaticCell;

type Input = [[f32; 3]; 4];
type Net = (Flatten<12>, Dense<9>, Relu, Dense<7, NoBias>, Tanh, (Dense<5>, LeakyRelu, Dense<6>), Sigmoid, Dense<4>);

static PLAIN: ConstStaticCell<Memory<Net, Input, Sgd>> = ConstStaticCell::new(Memory::new());
static MOMENTUM: ConstStaticCell<Memory<Net, Input, Momentum>> = ConstStaticCell::new(Memory::new());
static ADAM: ConstStaticCell<Memory<Net, Input, Adam>> = ConstStaticCell::new(Memory::new());

/// Whether the loss falls over a few steps.
fn learns<L, O, T>(memory: &mut Memory<Net, Input, O>, loss: L, optimizer: O, target: &T) -> bool
where
    L: Loss<<Net as Layer<Input>>::Output, T> + Copy,
    O: Optimizer,
{
    let sample = black_box([[0.5, -1.0, 0.25], [1.0, 0.0, -0.5], [0.75, 0.1, 2.0], [-0.3, 0.6, 0.9]]);
    let mut learner = Learner::new(memory, Net::default(), loss, optimizer);
    learner.initialize(black_box(1));
    let first = learner.observe(&sample, target).unwrap_or(f32::NAN);
    for _ in 0..50 {
        if learner.update().is_err() || learner.observe(&sample, target).is_err() {
            return false;
        }
    }
    learner.discard();
    let class = learner.predict(&sample).argmax();
    learner.evaluate(&sample, target).is_ok_and(|(last, output)| last < first && output.argmax() == class)
}

#[entry]
fn main() -> ! {
    let target = black_box([0.1, 0.2, 0.6, 0.1]);
    // `take` would panic the second time.
    let (Some(plain), Some(momentum), Some(adam)) = (PLAIN.try_take(), MOMENTUM.try_take(), ADAM.try_take()) else {
        end(false)
    };
    end(learns(plain, MeanSquaredError, Sgd::new(0.1), &target)
        && learns(momentum, CrossEntropy, Momentum::new(0.02, 0.9).nesterov(), &target)
        && learns(adam, CrossEntropy, Adam::new(0.01), &black_box(2)))
}

fn end(learned: bool) -> ! {
    debug::exit(if learned { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}
