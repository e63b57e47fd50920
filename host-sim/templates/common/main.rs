//! Learns what comes over the board's serial line; the README says how to send it.

#![no_std]
#![no_main]

mod board;
{{modules}}mod network;
{{trained_module}}{{weights_module}}
use backpass::Learner;
{{begin_imports}}use backpass_app::stream::{Event, Frames, Response, Server};
{{flash_import}}use static_cell::ConstStaticCell;

use board::{Board, entry, log};
use network::{CHECK_STEPS, FRAME, Goal, Input, Net, Ram, Rule, SEED, TARGETS, Target};

static MEMORY: ConstStaticCell<Ram> = ConstStaticCell::new(Ram::new());
static FRAMES: ConstStaticCell<Frames<FRAME>> = ConstStaticCell::new(Frames::new());

type Application = Server<'static, Net, Input, Goal, Rule, Target, FRAME>;

#[entry]
fn main() -> ! {
    let Board { mut line, mut store, mut alive } = board::start();
    log(format_args!("{}", network::LINE));
    let memory = MEMORY.take();
    log(format_args!("{memory:?}"));
    let mut learner = Learner::new(memory, network::network(), network::GOAL, network::RULE);
    check(&mut learner, &mut alive);
{{begin_call}}    // From here on what was saved, or fresh weights.
    let mut server: Application = Server::new(learner, FRAMES.take(), SEED);
    server.start(&mut store, &mut tell);
    log(format_args!("ready: waits for samples"));
    loop {
        alive();
        server.step(&mut line, &mut store, &mut tell);
    }
}

/// Learns a few random samples by heart: shows at switch-on that this chip learns.
fn check(learner: &mut Learner<'_, Net, Input, Goal, Rule>, alive: &mut impl FnMut()) {
    learner.initialize(SEED);
    let mut losses = [0.0; 2];
    for step in 0..CHECK_STEPS {
        let mut sum = 0.0;
        for (index, target) in TARGETS.iter().enumerate() {
            alive();
            match learner.train_with(|input| network::draw(input, index), target) {
                Ok(loss) => sum += loss,
                Err(error) => log(format_args!("check: {error}")),
            }
        }
        losses[usize::from(step > 0)] = sum / TARGETS.len() as f32;
    }
    let [before, after] = losses;
    let verdict = if after < before { "it learns" } else { "it does not learn: take a smaller learning rate in network.rs" };
    log(format_args!("check: loss {before:.4} before, {after:.4} after {CHECK_STEPS} steps; {verdict}"));
}

fn tell(event: Event) {
    match event {
        Event::Answered(Response::Refused(refusal)) => log(format_args!("refused: {refusal}")),
        Event::Learned { class, predicted, loss } => log(format_args!("class {class} taken for {predicted}, loss {loss:.4}")),
        // Many a second: the host has the answers.
        Event::Answered(Response::Trained { .. } | Response::Predicted { .. } | Response::Evaluated { .. }) => {}
        event => log(format_args!("{event:?}")),
    }
}
