//! Every operation of a save and of a load fails, once or for good: the newest checkpoint stays, and it goes on when flash works again.

use backpass::checkpoint::Error;

use super::subject::{Known, Subject, boot};
use super::{Check, CheckError, Effort, Progress, Tally};
use crate::flash::{FlashError, Operation, SimulatedFlash};

pub(super) const CHECK: Check = Check {
    name: "flash-errors",
    about: "every read, write and erase of a save and of a load fails, once or for good",
    machine: None,
    run: check,
};

fn check(effort: Effort, progress: &mut Progress<'_>) -> Result<Tally, CheckError> {
    let mut tally = Tally::default();
    let saves = effort.choose(4, 100);
    for save in 0..saves {
        flash::<1, 4, 512>(save, &mut tally);
        flash::<4, 32, 1024>(save, &mut tally);
        flash::<1, 256, 4096>(save, &mut tally);
        progress(save + 1, saves);
    }
    tally.note = format!(
        "3 kinds of flash, {saves} saves and loads in a row, with other weights and bits left behind each time"
    );
    Ok(tally)
}

fn flash<const READ: usize, const WRITE: usize, const ERASE: usize>(seed: u64, tally: &mut Tally) {
    let (mut learner, mut device) = (Subject::new(seed), Subject::new(0));
    let mut before = SimulatedFlash::<READ, WRITE, ERASE>::new(2);
    before.seed(seed);
    let mut saved = |flash: &mut SimulatedFlash<READ, WRITE, ERASE>| {
        learner.train(3);
        learner.save(flash).map(|sequence| (sequence, learner.bits()))
    };
    let (old, new, whole) = match (saved(&mut before), before.clone()) {
        (Ok(old), mut whole) => match saved(&mut whole) {
            Ok(new) => (old, new, whole),
            Err(error) => return tally.count(Err(format!("write {WRITE}: {error}"))),
        },
        (Err(error), _) => return tally.count(Err(format!("write {WRITE}: {error}"))),
    };
    for operation in [Operation::Read, Operation::Write, Operation::Erase] {
        let count = |flash: &SimulatedFlash<READ, WRITE, ERASE>| match operation {
            Operation::Read => flash.usage().reads,
            Operation::Write => flash.usage().writes,
            Operation::Erase => flash.usage().erases,
        };
        for (after, times) in (0..count(&whole) - count(&before)).flat_map(|after| [(after, 1), (after, u64::MAX)]) {
            let mut flash = before.clone();
            flash.fail(operation, after, times);
            let result = save(&mut learner, &mut device, &mut flash, operation, &old, &new);
            let place = format!("write {WRITE}, save {seed}, {operation:?} {after} fails {times} times");
            tally.count(result.map_err(|failure| format!("{place}: {failure}")));
        }
    }
    let mut loaded = whole.clone();
    let _ = device.load(&mut loaded);
    for (after, times) in
        (0..loaded.usage().reads - whole.usage().reads).flat_map(|after| [(after, 1), (after, u64::MAX)])
    {
        let mut flash = whole.clone();
        flash.fail(Operation::Read, after, times);
        let result = load(&mut device, &mut flash, &old, &new);
        let place = format!("write {WRITE}, load {seed}, read {after} fails {times} times");
        tally.count(result.map_err(|failure| format!("{place}: {failure}")));
    }
}

/// A save in which something fails.
fn save<const READ: usize, const WRITE: usize, const ERASE: usize>(
    learner: &mut Subject,
    device: &mut Subject,
    flash: &mut SimulatedFlash<READ, WRITE, ERASE>,
    operation: Operation,
    old: &Known,
    new: &Known,
) -> Result<(), String> {
    let allowed = match learner.save(flash) {
        // A read may be tried again.
        Ok(sequence) if operation == Operation::Read && sequence == new.0 => vec![new],
        Err(Error::Flash(FlashError::Failed(failed))) if failed == operation => vec![old, new],
        other => return Err(format!("save returned {other:?}")),
    };
    if learner.bits() != new.1 {
        return Err("save changed the learner".to_owned());
    }
    flash.repair();
    boot(device, flash, &allowed, false)?;
    let sequence = learner.save(flash).map_err(|error| format!("it could not save again: {error}"))?;
    boot(device, flash, &[&(sequence, new.1.clone())], false).map(drop)
}

/// A load in which a read fails.
fn load<const READ: usize, const WRITE: usize, const ERASE: usize>(
    device: &mut Subject,
    flash: &mut SimulatedFlash<READ, WRITE, ERASE>,
    old: &Known,
    new: &Known,
) -> Result<(), String> {
    device.reset();
    let before = device.bits();
    match device.load(flash) {
        Ok(sequence) if [old, new].contains(&&(sequence, device.bits())) => {}
        Err(Error::Flash(FlashError::Failed(Operation::Read))) if device.bits() == before => {}
        // It says that the learner holds a part.
        Err(Error::Incomplete) => {}
        other => return Err(format!("load returned {other:?}")),
    }
    flash.repair();
    boot(device, flash, &[new], false).map(drop)
}
