//! What a flash does: read, write, erase, each as far as power lasts.

use embedded_storage::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};

use super::{FlashError, Operation, Rewrite, SimulatedFlash};

/// Steps of a byte that is written.
const WRITE_STEPS: u64 = 2;
/// Steps of a sector that is erased.
const ERASE_STEPS: u64 = 3;

impl<const READ: usize, const WRITE: usize, const ERASE: usize, const MULTIWRITE: bool> ErrorType
    for SimulatedFlash<READ, WRITE, ERASE, MULTIWRITE>
{
    type Error = FlashError;
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize, const MULTIWRITE: bool> ReadNorFlash
    for SimulatedFlash<READ, WRITE, ERASE, MULTIWRITE>
{
    const READ_SIZE: usize = READ;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        let from = u64::from(offset);
        self.check(from, from + bytes.len() as u64, READ)?;
        self.usage.reads += 1;
        if self.advance(1) < 1 {
            return Err(FlashError::NoPower);
        }
        if self.is_faulty(Operation::Read) {
            return Err(FlashError::Failed(Operation::Read));
        }
        let from = offset as usize;
        bytes.copy_from_slice(&self.bytes[from..from + bytes.len()]);
        self.usage.bytes_read += bytes.len() as u64;
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize, const MULTIWRITE: bool> NorFlash
    for SimulatedFlash<READ, WRITE, ERASE, MULTIWRITE>
{
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        self.check(from.into(), to.into(), ERASE)?;
        self.usage.erases += 1;
        let faulty = self.is_faulty(Operation::Erase);
        for sector in from as usize / ERASE..to as usize / ERASE {
            let wanted = if faulty { 1 + self.rng.below(2) as u64 } else { ERASE_STEPS };
            let steps = self.advance(wanted);
            self.erase_sector(sector, steps);
            if steps < wanted {
                return Err(FlashError::NoPower);
            }
            if faulty {
                return Err(FlashError::Failed(Operation::Erase));
            }
            self.usage.sectors_erased += 1;
        }
        // Nothing to erase still needs power.
        if self.is_powered { Ok(()) } else { Err(FlashError::NoPower) }
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let from = u64::from(offset);
        self.check(from, from + bytes.len() as u64, WRITE)?;
        let offset = offset as usize;
        let words = offset / WRITE..(offset + bytes.len()) / WRITE;
        if self.rewrite == Rewrite::Refuse
            && let Some(word) = words.clone().find(|word| self.used[*word])
        {
            return Err(FlashError::NotErased { offset: word * WRITE });
        }
        self.usage.writes += 1;
        let all = WRITE_STEPS * bytes.len() as u64;
        let faulty = self.is_faulty(Operation::Write);
        let wanted = if faulty { u64::from(self.rng.below(all as u32)) } else { all };
        let steps = self.advance(wanted);
        self.write_part(offset, bytes, steps);
        self.usage.bytes_written += steps / WRITE_STEPS;
        match (steps < wanted || !self.is_powered, faulty) {
            (true, _) => Err(FlashError::NoPower),
            (false, true) => Err(FlashError::Failed(Operation::Write)),
            (false, false) => Ok(()),
        }
    }
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize> MultiwriteNorFlash
    for SimulatedFlash<READ, WRITE, ERASE, true>
{
}

impl<const READ: usize, const WRITE: usize, const ERASE: usize, const MULTIWRITE: bool>
    SimulatedFlash<READ, WRITE, ERASE, MULTIWRITE>
{
    /// Whether an operation can be done at all.
    fn check(&self, from: u64, to: u64, size: usize) -> Result<(), FlashError> {
        if !self.is_powered {
            return Err(FlashError::NoPower);
        }
        if from > to || to > self.bytes.len() as u64 {
            return Err(FlashError::OutOfBounds { from, to, capacity: self.bytes.len() });
        }
        if !from.is_multiple_of(size as u64) || !to.is_multiple_of(size as u64) {
            return Err(FlashError::NotAligned { from, to, size });
        }
        Ok(())
    }

    /// Takes so many steps, or as many as power lasts.
    fn advance(&mut self, wanted: u64) -> u64 {
        let left = self.cut.map_or(u64::MAX, |cut| cut.saturating_sub(self.steps));
        if left < wanted {
            self.power_off();
        }
        let steps = wanted.min(left);
        self.steps += steps;
        steps
    }

    /// Whether an operation is to fail; counts it.
    fn is_faulty(&mut self, operation: Operation) -> bool {
        let Some(fault) = self.faults.iter_mut().find(|fault| fault.operation == operation) else { return false };
        if fault.after > 0 {
            fault.after -= 1;
            return false;
        }
        fault.times = fault.times.saturating_sub(1);
        if fault.times == 0 {
            self.faults.retain(|fault| fault.times > 0);
        }
        true
    }

    fn erase_sector(&mut self, sector: usize, steps: u64) {
        if steps == 0 {
            return;
        }
        self.wear[sector] = self.wear[sector].saturating_add(1);
        let words = sector * (ERASE / WRITE)..(sector + 1) * (ERASE / WRITE);
        self.used[words].fill(steps < ERASE_STEPS);
        // Anything from a sector that is all but erased to one that is all zeros.
        let density = self.rng.below(5);
        for byte in &mut self.bytes[sector * ERASE..(sector + 1) * ERASE] {
            *byte = match steps {
                1 => *byte | random_byte(&mut self.rng),
                2 => (0..density).fold(0xff, |byte, _| byte & random_byte(&mut self.rng)),
                _ => 0xff,
            };
        }
    }

    fn write_part(&mut self, offset: usize, bytes: &[u8], steps: u64) {
        let done = (steps / WRITE_STEPS) as usize;
        let is_half_done = !steps.is_multiple_of(WRITE_STEPS);
        let end = done + usize::from(is_half_done);
        self.used[offset / WRITE..(offset + end).div_ceil(WRITE)].fill(true);
        // Chips write the bytes of a word one after another or all at once: the cut may leave any of the word's bits behind.
        let half = match (is_half_done, self.rng.below(2)) {
            (false, _) => done..done,
            (true, 0) => done..done + 1,
            (true, _) => done / WRITE * WRITE..(done / WRITE + 1) * WRITE,
        };
        for (byte, new) in self.bytes[offset..].iter_mut().zip(&bytes[..half.start]) {
            *byte &= new;
        }
        for (byte, new) in self.bytes[offset + half.start..].iter_mut().zip(&bytes[half]) {
            *byte &= new | random_byte(&mut self.rng);
        }
    }
}

fn random_byte(rng: &mut backpass::Rng) -> u8 {
    (rng.next_u64() >> 56) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    type Flash = SimulatedFlash<1, 4, 64>;

    fn flash_with(bytes: &[u8]) -> Flash {
        let mut flash = Flash::new(2);
        flash.write(0, bytes).unwrap();
        flash
    }

    #[test]
    fn what_was_written_is_read_and_an_erased_sector_is_ones() {
        let mut flash = flash_with(b"12345678");
        flash.write(64, b"abcd").unwrap();
        let mut read = [0; 6];
        flash.read(2, &mut read).unwrap();
        assert_eq!(&read, b"345678");
        flash.erase(0, 64).unwrap();
        assert!(flash.bytes()[..64].iter().all(|byte| *byte == 0xff));
        assert_eq!(&flash.bytes()[64..68], b"abcd");
        flash.write(0, b"again...").unwrap();
        assert_eq!(flash.wear(), [1, 0]);
        let usage = flash.usage();
        assert_eq!((usage.reads, usage.bytes_read, usage.writes, usage.bytes_written), (1, 6, 3, 20));
        assert_eq!((usage.erases, usage.sectors_erased), (1, 1));
    }

    #[test]
    fn misuse_is_told() {
        let mut flash = flash_with(b"12345678");
        assert_eq!(flash.write(4, &[0; 4]), Err(FlashError::NotErased { offset: 4 }));
        assert_eq!(flash.write(0, &[0xff; 12]), Err(FlashError::NotErased { offset: 0 }), "ones too");
        assert_eq!(flash.write(9, &[0; 4]), Err(FlashError::NotAligned { from: 9, to: 13, size: 4 }));
        assert_eq!(flash.write(8, &[0; 3]), Err(FlashError::NotAligned { from: 8, to: 11, size: 4 }));
        assert_eq!(flash.erase(0, 32), Err(FlashError::NotAligned { from: 0, to: 32, size: 64 }));
        assert_eq!(flash.erase(0, 192), Err(FlashError::OutOfBounds { from: 0, to: 192, capacity: 128 }));
        assert_eq!(flash.erase(64, 0), Err(FlashError::OutOfBounds { from: 64, to: 0, capacity: 128 }));
        assert_eq!(flash.write(128, &[0; 4]), Err(FlashError::OutOfBounds { from: 128, to: 132, capacity: 128 }));
        assert!(flash.read(u32::MAX, &mut [0; 4]).is_err());
        assert_eq!(flash, flash_with(b"12345678"), "and nothing is changed");
    }

    #[test]
    fn bits_only_clear() {
        let mut flash = flash_with(&[0b1100_1010; 4]);
        flash.on_rewrite(Rewrite::And);
        flash.write(0, &[0b1010_1100; 4]).unwrap();
        assert_eq!(flash.bytes()[..4], [0b1000_1000; 4]);
        let mut multiwrite = SimulatedFlash::<1, 4, 64, true>::new(1);
        multiwrite.write(0, &[0b1100_1010; 4]).unwrap();
        multiwrite.write(0, &[0b1010_1100; 4]).unwrap();
        assert_eq!(multiwrite.bytes()[..4], [0b1000_1000; 4]);
    }

    #[test]
    fn a_write_stops_after_any_byte_and_inside_it() {
        let new = [0b0000_0001, 0, 0x80, 0, 0b0101_0101, 0, 0x3c, 0];
        let mut half_bytes = std::collections::BTreeSet::new();
        for (step, seed) in (0..=16).flat_map(|step| (0..50).map(move |seed| (step, seed))) {
            let mut flash = Flash::new(1);
            flash.seed(seed);
            flash.cut_power_after(step);
            let result = flash.write(8, &new);
            assert_eq!(result, if step == 16 { Ok(()) } else { Err(FlashError::NoPower) });
            assert_eq!(flash.is_powered(), step == 16);
            let (done, bytes) = (step as usize / 2, &flash.bytes()[8..16]);
            // Words before the one at which it stopped are whole, words after it untouched.
            let (whole, rest) = (done / 4 * 4, (done + 4) / 4 * 4);
            assert_eq!(bytes[..whole], new[..whole]);
            assert!(bytes[rest.min(8)..].iter().all(|byte| *byte == 0xff));
            // No bit is cleared that was not to be.
            assert!(bytes.iter().zip(&new).all(|(byte, new)| byte & new == *new));
            if step % 2 == 0 {
                assert_eq!(bytes[whole..done], new[whole..done]);
            } else if done == 5 {
                half_bytes.insert(bytes[1 + 4]);
            }
            // A word that was begun must be erased first, even if all of its bits are ones.
            flash.power_on();
            let begun = 8 + 4 * (step as u32).div_ceil(8);
            assert!(flash.write(begun, &[0; 4]).is_ok());
            if step > 0 {
                assert!(matches!(flash.write(begun - 4, &[0; 4]), Err(FlashError::NotErased { .. })));
            }
        }
        assert!(half_bytes.len() > 20, "half a byte is many different ones: {half_bytes:?}");
    }

    #[test]
    fn an_erase_that_is_cut_leaves_random_bits_that_nobody_may_write_over() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            for step in 0..6 {
                let mut flash = flash_with(&[0x55; 64]);
                flash.write(64, &[0x55; 64]).unwrap();
                flash.seed(seed);
                flash.cut_power_after(step);
                assert_eq!(flash.erase(0, 128), Err(FlashError::NoPower));
                flash.power_on();
                let (first, second) = flash.bytes().split_at(64);
                match step {
                    0 => assert!(first.iter().all(|byte| *byte == 0x55)),
                    1 => assert!(first.iter().all(|byte| byte & 0x55 == 0x55)),
                    2 => _ = seen.insert(first.to_vec()),
                    _ => assert!(first.iter().all(|byte| *byte == 0xff)),
                }
                if step <= 3 {
                    assert!(second.iter().all(|byte| *byte == 0x55));
                }
                let first_is_erased = step >= 3;
                assert_eq!(flash.clone().write(0, &[0; 4]).is_ok(), first_is_erased, "step {step}");
                assert_eq!(flash.wear(), [u32::from(step > 0), u32::from(step > 3)]);
                flash.erase(0, 128).unwrap();
                flash.write(64, &[0; 4]).unwrap();
            }
        }
        assert!(seen.len() > 30, "{}", seen.len());
        assert!(seen.contains(&vec![0xff; 64]), "one that only looks erased is among them");
    }

    #[test]
    fn nothing_works_until_power_is_back() {
        let mut flash = flash_with(b"1234");
        flash.cut_power_after(1);
        flash.read(0, &mut [0; 4]).unwrap();
        let mut buffer = [7; 4];
        assert_eq!(flash.read(0, &mut buffer), Err(FlashError::NoPower));
        assert_eq!(buffer, [7; 4]);
        assert_eq!(flash.write(4, &[0; 4]), Err(FlashError::NoPower));
        assert_eq!(flash.erase(0, 64), Err(FlashError::NoPower));
        assert_eq!(&flash.bytes()[..8], b"1234\xff\xff\xff\xff");
        flash.power_on();
        flash.read(0, &mut buffer).unwrap();
        flash.write(4, &[0; 4]).unwrap();
        assert_eq!(&buffer, b"1234");
    }

    #[test]
    fn faults_come_when_they_were_asked_for() {
        let mut flash = Flash::new(1);
        flash.fail(Operation::Write, 1, 2);
        flash.write(0, &[0; 4]).unwrap();
        let usage = flash.usage();
        for place in [4, 8] {
            assert_eq!(flash.write(place, &[0; 4]), Err(FlashError::Failed(Operation::Write)));
        }
        assert!(flash.usage().bytes_written < usage.bytes_written + 8);
        flash.write(12, &[0; 4]).unwrap();
        flash.fail(Operation::Erase, 0, u64::MAX);
        flash.fail(Operation::Read, 0, 1);
        assert_eq!(flash.read(0, &mut [0]), Err(FlashError::Failed(Operation::Read)));
        flash.read(0, &mut [0]).unwrap();
        for _ in 0..3 {
            assert_eq!(flash.erase(0, 64), Err(FlashError::Failed(Operation::Erase)));
        }
        flash.repair();
        flash.erase(0, 64).unwrap();
    }

    #[test]
    fn the_same_seed_leaves_the_same_bits() {
        let cut = |seed| {
            let mut flash = flash_with(&[0; 64]);
            flash.seed(seed);
            flash.cut_power_after(2);
            let _ = flash.erase(0, 64);
            flash.bytes().to_vec()
        };
        assert_eq!(cut(3), cut(3));
        assert_ne!(cut(3), cut(4));
    }
}
