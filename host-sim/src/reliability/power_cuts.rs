//! Power is cut at every operation and every byte of a save, and inside each byte: the next boot has the newest checkpoint that was
//! committed, whole, and can go on.

use backpass::Rng;
use backpass::checkpoint::Error;

use super::subject::{Known, Subject, boot};
use super::{Check, CheckError, Effort, Progress, Tally};
use crate::flash::{FlashError, SimulatedFlash};

pub(super) const CHECK: Check = Check {
    name: "power-cuts",
    about: "power cut at every operation, byte and half byte of a save, and again and again",
    machine: None,
    run: check,
};

/// Saves in a row, each of other weights, each cut everywhere.
const SAVES: u32 = 5;
/// Saves in a chain, each cut somewhere.
const CHAIN: u32 = 12;

fn check(effort: Effort, progress: &mut Progress<'_>) -> Result<Tally, CheckError> {
    let (seeds, chains) = (effort.choose(1, 8), effort.choose(100, 2_000));
    let mut tally = Tally::default();
    let mut flashes = 0;
    let mut on = |cuts: fn(u64, u64, &mut Tally)| {
        cuts(seeds, chains, &mut tally);
        flashes += 1;
        progress(flashes, 6);
    };
    // Read, write and sector sizes: of serial flash, nRF52, STM32L4, STM32U5, STM32H7 and RP2040.
    on(flash::<1, 1, 4096>);
    on(flash::<4, 4, 4096>);
    on(flash::<1, 8, 2048>);
    on(flash::<1, 16, 8192>);
    on(flash::<1, 32, 1024>);
    on(flash::<1, 256, 4096>);
    tally.note = format!(
        "{flashes} kinds of flash; {SAVES} saves cut everywhere, {seeds} times each; {chains} chains of {CHAIN} saves cut anywhere"
    );
    Ok(tally)
}

/// All of it on one kind of flash.
fn flash<const READ: usize, const WRITE: usize, const ERASE: usize>(seeds: u64, chains: u64, tally: &mut Tally) {
    let mut everywhere = Everywhere::<READ, WRITE, ERASE>::new();
    for save in 0..SAVES {
        everywhere.save(save, seeds, tally);
    }
    let mut device = Subject::new(0);
    for seed in 0..chains {
        chain::<READ, WRITE, ERASE>(seed, &mut device, tally);
    }
}

/// A device whose saves are cut everywhere, one after another.
struct Everywhere<const READ: usize, const WRITE: usize, const ERASE: usize> {
    flash: SimulatedFlash<READ, WRITE, ERASE>,
    learner: Subject,
    device: Subject,
    old: Option<Known>,
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> Everywhere<READ, WRITE, ERASE> {
    fn new() -> Self {
        Self { flash: SimulatedFlash::new(2), learner: Subject::new(1), device: Subject::new(2), old: None }
    }

    /// Cuts one save at every step, and then lets it pass.
    fn save(&mut self, save: u32, seeds: u64, tally: &mut Tally) {
        let kind = format!("write {WRITE}, sector {ERASE}, save {save}");
        self.learner.train(2 + save);
        let mut whole = self.flash.clone();
        let new = match self.learner.save(&mut whole) {
            Ok(sequence) => (sequence, self.learner.bits()),
            Err(error) => return tally.count(Err(format!("{kind}: {error}"))),
        };
        for step in 0..whole.steps() - self.flash.steps() {
            for seed in 0..seeds {
                let result = self.cut(step, seed, &new, &whole);
                tally
                    .count(result.map_err(|failure| format!("{kind}, cut after {step} steps, seed {seed}: {failure}")));
            }
        }
        self.flash = whole;
        self.old = Some(new);
    }

    fn cut(
        &mut self,
        step: u64,
        seed: u64,
        new: &Known,
        whole: &SimulatedFlash<READ, WRITE, ERASE>,
    ) -> Result<(), String> {
        let mut flash = self.flash.clone();
        flash.seed(seed ^ (step << 8));
        flash.cut_power_after(step);
        match self.learner.save(&mut flash) {
            Err(Error::Flash(FlashError::NoPower)) => {}
            other => return Err(format!("save returned {other:?}")),
        }
        if self.learner.bits() != new.1 {
            return Err("save changed the learner".to_owned());
        }
        flash.power_on();
        // The new one is there if, and only if, every byte of it is.
        let is_committed = flash.bytes() == whole.bytes();
        let expected = if is_committed { Some(new) } else { self.old.as_ref() };
        let allowed: Vec<&Known> = expected.into_iter().collect();
        boot(&mut self.device, &mut flash, &allowed, expected.is_none())?;
        // It goes on: what it learns next is saved and loaded.
        self.device.train(3);
        let sequence = self.device.save(&mut flash).map_err(|error| format!("it could not save again: {error}"))?;
        let next = (sequence, self.device.bits());
        boot(&mut self.device, &mut flash, &[&next], false)?;
        Ok(())
    }
}

/// A device that loses power in every save, and sometimes while it starts, and never gets a calm moment to tidy up.
fn chain<const READ: usize, const WRITE: usize, const ERASE: usize>(
    seed: u64,
    device: &mut Subject,
    tally: &mut Tally,
) {
    let mut rng = Rng::new(seed);
    let mut flash = SimulatedFlash::<READ, WRITE, ERASE>::new(2);
    flash.seed(seed);
    device.initialize(seed);
    let mut old: Option<Known> = None;
    for save in 0..CHAIN {
        match link(&mut rng, &mut flash, device, old.as_ref()) {
            Ok(found) => {
                old = found;
                tally.count(Ok(()));
            }
            Err(failure) => {
                let place = format!("write {WRITE}, sector {ERASE}, chain {seed}, save {save}");
                return tally.count(Err(format!("{place}: {failure}")));
            }
        }
    }
}

/// Learns, saves, loses power on the way (or just not), and boots. Returns what was loaded.
fn link<const READ: usize, const WRITE: usize, const ERASE: usize>(
    rng: &mut Rng,
    flash: &mut SimulatedFlash<READ, WRITE, ERASE>,
    device: &mut Subject,
    old: Option<&Known>,
) -> Result<Option<Known>, String> {
    device.train(1 + rng.below(4));
    // What would come of it with power.
    let mut calm = flash.clone();
    let new = (device.save(&mut calm).map_err(|error| format!("it could not save: {error}"))?, device.bits());
    let steps = (calm.steps() - flash.steps()) as u32;
    flash.cut_power_after(rng.below(steps + steps / 8).into());
    let saved = device.save(flash);
    flash.power_on();
    let allowed: Vec<&Known> = match saved {
        Ok(sequence) if sequence == new.0 => vec![&new],
        Err(Error::Flash(FlashError::NoPower)) => [Some(&new), old].into_iter().flatten().collect(),
        other => return Err(format!("save returned {other:?}, where {} was next", new.0)),
    };
    if rng.below(4) == 0 {
        // Power goes while the device starts, too. Loading writes nothing, so that changes nothing.
        flash.cut_power_after(rng.below(16).into());
        device.reset();
        let _ = device.load(flash);
        flash.power_on();
    }
    let found = boot(device, flash, &allowed, old.is_none() && saved.is_err())?;
    if found.is_none() {
        // It begins again.
        device.initialize(rng.next_u64());
    }
    Ok(found)
}
