//! Bits of the flash flip, one or many, anywhere: what is loaded is a checkpoint as it was saved, or nothing.

use backpass::Rng;

use super::subject::{Known, Subject, boot};
use super::{Check, CheckError, Effort, Progress, Tally};
use crate::flash::SimulatedFlash;

pub(super) const CHECK: Check = Check {
    name: "bit-flips",
    about: "bits flipped over the whole flash: each one alone, then many at random",
    machine: None,
    run: check,
};

type Flash = SimulatedFlash<1, 4, 512>;

/// Two checkpoints in a flash, and what is in each.
fn prepare() -> Result<(Flash, [Known; 2]), CheckError> {
    let broken = |error| CheckError::Broken(format!("it could not be saved: {error}"));
    let (mut flash, mut learner) = (Flash::new(2), Subject::new(1));
    let mut save = |samples| {
        learner.train(samples);
        learner.save(&mut flash).map(|sequence| (sequence, learner.bits())).map_err(broken)
    };
    let known = [save(5)?, save(4)?];
    Ok((flash, known))
}

fn check(effort: Effort, progress: &mut Progress<'_>) -> Result<Tally, CheckError> {
    let (flash, [old, new]) = prepare()?;
    let mut device = Subject::new(2);
    let mut tally = Tally::default();
    let mut found = [0_u64; 3];
    let mut boot = |flash: &mut Flash, none: bool, what: &dyn std::fmt::Display| {
        let result = boot(&mut device, flash, &[&old, &new], none);
        match &result {
            Ok(Some(known)) if *known == new => found[0] += 1,
            Ok(Some(_)) => found[1] += 1,
            _ => found[2] += 1,
        }
        tally.count(result.map(drop).map_err(|failure| format!("{what}: {failure}")));
    };
    // One flip damages at most one of the two.
    let bits = 8 * flash.bytes().len();
    for bit in 0..bits {
        let mut flash = flash.clone();
        flash.flip_bit(bit);
        boot(&mut flash, false, &format_args!("bit {bit}"));
    }
    let many = effort.choose(20_000, 1_000_000);
    for seed in 0..many {
        let (mut rng, mut flash) = (Rng::new(seed), flash.clone());
        damage(&mut flash, &mut rng);
        boot(&mut flash, true, &format_args!("damage {seed}"));
        if seed % 1024 == 0 {
            progress(seed, many);
        }
    }
    tally.note = format!(
        "each of {bits} bits alone, then 2 to 256 at random; loaded the newest {} times, the older {}, nothing {}",
        found[0], found[1], found[2]
    );
    Ok(tally)
}

/// Flips bits here and there, or all along a stretch.
fn damage(flash: &mut Flash, rng: &mut Rng) {
    let bits = 8 * flash.bytes().len() as u32;
    let count = 2_u32 << rng.below(8);
    let is_burst = rng.below(2) == 0;
    let start = rng.below(bits);
    for offset in 0..count {
        let bit = if is_burst { (start + offset) % bits } else { rng.below(bits) };
        // A burst is a stretch of random bits, of which half are as they were.
        if !is_burst || rng.below(2) == 0 {
            flash.flip_bit(bit as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_weight_would_be_found() {
        let (mut flash, [old, mut new]) = prepare().unwrap();
        let mut device = Subject::new(2);
        assert_eq!(boot(&mut device, &mut flash, &[&old, &new], false), Ok(Some(new.clone())));
        new.1[7] ^= 1;
        assert!(boot(&mut device, &mut flash, &[&old, &new], false).is_err());
        new.0 += 1;
        assert!(boot(&mut device, &mut Flash::new(2), &[&old], false).is_err());
        assert_eq!(boot(&mut device, &mut Flash::new(2), &[&old], true), Ok(None));
    }
}
