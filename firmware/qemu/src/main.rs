//! The digits application on an emulated Cortex-M: trains one epoch on real images, tests, and logs through defmt what the
//! host twin needs to compare every parameter.

#![no_std]
#![no_main]

use backpass::Params;
use backpass_app::digits::{self, Ram};
use backpass_app::parameters_crc32;
use backpass_app::session::Event;
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_SUCCESS};
#[cfg(feature = "rtt")]
use defmt_rtt as _;
#[cfg(not(feature = "rtt"))]
use defmt_semihosting as _;
use portable_atomic as _;
use static_cell::ConstStaticCell;

mod stop;

#[cfg(small)]
const HIDDEN: usize = digits::SMALL_HIDDEN;
#[cfg(not(small))]
const HIDDEN: usize = digits::HIDDEN;
#[cfg(small)]
const TRAINING: usize = digits::SMALL_TRAINING;
#[cfg(not(small))]
const TRAINING: usize = digits::TRAINING;

static MEMORY: ConstStaticCell<Ram<HIDDEN>> = ConstStaticCell::new(Ram::new());
static ORDER: ConstStaticCell<[u32; TRAINING]> = ConstStaticCell::new([0; TRAINING]);

/// Training samples from one line of progress to the next.
const PROGRESS: u32 = 160;

#[entry]
fn main() -> ! {
    stop::arm(None);
    let memory = MEMORY.take();
    defmt::info!("digits 64-{}-10, {} training images, {} test images", HIDDEN, TRAINING, digits::TEST);
    defmt::info!("{}", memory);
    let mut learner = digits::learner(memory);
    let result = digits::run(&mut learner, ORDER.take(), &mut log);

    let parameters = learner.params();
    parameters.visit(None, &mut |name, values| {
        for (part, values) in values.chunks(16).enumerate() {
            let mut bytes = [0; 64];
            for (bytes, value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
                *bytes = value.to_le_bytes();
            }
            let bytes = bytes.get(..values.len() * 4).unwrap_or_default();
            defmt::info!("parameters {} from {} : {=[u8]:02x}", name, part * 16, bytes);
        }
    });
    if let Some(epoch) = result {
        defmt::info!("classified {} of {} test images", epoch.correct, epoch.tested);
    }
    defmt::info!("crc32 {=u32:08x}", parameters_crc32(parameters));
    debug::exit(EXIT_SUCCESS);
    loop {
        cortex_m::asm::wfi();
    }
}

fn log(event: Event) {
    match event {
        Event::Trained { epoch, seen, of, loss } if seen % PROGRESS == 0 || seen == of => {
            defmt::info!("epoch {} trained {}/{} loss {}", epoch, seen, of, loss);
        }
        Event::Tested { class, predicted, last: true } => defmt::info!("class {} taken for {}", class, predicted),
        Event::SampleRefused { index, error } => defmt::warn!("sample {} refused: {}", index, error),
        Event::UpdateRefused(error) => defmt::warn!("update refused: {}", error),
        Event::Epoch(epoch) => defmt::info!(
            "epoch {} training loss {} test loss {} accuracy {} %",
            epoch.epoch,
            epoch.training_loss,
            epoch.test_loss,
            100.0 * epoch.test_accuracy()
        ),
        _ => {}
    }
}
