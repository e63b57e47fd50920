//! The reader of checkpoints, on a flash that holds anything.

use std::cell::RefCell;

use crc::{CRC_32_ISO_HDLC, Crc};

use crate::flash::SimulatedFlash;
use crate::reliability::subject::Subject;

/// Two slots of one sector each.
type Flash = SimulatedFlash<1, 4, SLOT>;
const SLOT: usize = 512;

/// Bytes of the header, as the format's documentation has it; the last four are its checksum.
const HEADER: usize = 96;
/// Where the header keeps the place of the commit record and the lengths of the body's five parts.
const COMMIT: usize = 20;
const PARTS: [usize; 5] = [24, 28, 32, 36, 40];
/// Bytes of a change: where, and what.
const CHANGE: usize = 3;

static CRC32: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

thread_local! {
    static DEVICE: RefCell<Subject> = RefCell::new(Subject::new(1));
    /// A flash with two checkpoints.
    static IMAGE: Vec<u8> = image();
}

/// A flash with these bytes at its beginning, erased behind them.
pub fn raw(bytes: &[u8]) {
    let mut image = vec![0xff; 2 * SLOT];
    image.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    boot(&image);
}

/// A flash with two checkpoints, changed here and there, with every checksum put right afterwards: so what is held against the
/// changes is not the checksums but what the reader thinks of lengths, counters, fingerprints and numbers.
///
/// Each change has three bytes: an address (little-endian, counted around) and what to XOR there.
pub fn sealed(changes: &[u8]) {
    let mut image = IMAGE.with(Clone::clone);
    for change in changes.chunks_exact(CHANGE) {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]])) % image.len();
        image[place] ^= change[2];
    }
    for slot in image.chunks_exact_mut(SLOT) {
        // Lengths that lead out of the slot leave nothing to put right.
        let _ = seal(slot);
    }
    boot(&image);
}

/// Starts a device: it loads something sound or nothing, and can save and load afterwards.
fn boot(image: &[u8]) {
    DEVICE.with_borrow_mut(|device| {
        let mut flash = Flash::new(2);
        flash.set_bytes(image).expect("an image has the flash's size");
        device.reset();
        let before = device.bits();
        match device.load(&mut flash) {
            Ok(_) => assert!(device.is_finite(), "what was loaded is finite"),
            Err(error) => {
                assert_eq!(device.bits(), before, "a load that fails leaves the learner as it was: {error}");
                assert!(!error.to_string().is_empty());
            }
        }
        // Whatever was there, it learns, saves, and finds that again.
        device.train(2);
        assert!(device.is_finite(), "what it learns is finite");
        let sequence = device.save(&mut flash).expect("it can be saved");
        let saved = device.bits();
        device.reset();
        assert_eq!(device.load(&mut flash).expect("what was saved can be loaded"), sequence);
        assert_eq!(device.bits(), saved);
    });
}

fn image() -> Vec<u8> {
    DEVICE.with_borrow_mut(|learner| {
        let mut flash = Flash::new(2);
        learner.reset();
        for samples in [4, 5] {
            learner.train(samples);
            learner.save(&mut flash).expect("it can be saved");
        }
        flash.bytes().to_vec()
    })
}

/// Puts a slot's checksums right, as far as its lengths lead to them.
fn seal(slot: &mut [u8]) -> Option<()> {
    let number = |slot: &[u8], at: usize| Some(u32::from_le_bytes(slot.get(at..at + 4)?.try_into().ok()?) as usize);
    let put = |slot: &mut [u8], at: usize, crc: u32| {
        slot.get_mut(at..at.checked_add(4)?)?.copy_from_slice(&crc.to_le_bytes());
        Some(())
    };
    let header = CRC32.checksum(slot.get(..HEADER - 4)?);
    put(slot, HEADER - 4, header)?;
    let mut digest = CRC32.digest();
    digest.update(slot.get(..HEADER - 4)?);
    let (mut at, mut checks) = (HEADER, [0; 5]);
    for (length, check) in PARTS.into_iter().zip(&mut checks) {
        let end = at.checked_add(number(slot, length)?)?;
        digest.update(slot.get(at..end)?);
        *check = digest.clone().finalize();
        at = end;
    }
    for check in checks {
        put(slot, at, check)?;
        digest.update(&check.to_le_bytes());
        at += 4;
    }
    let commit = number(slot, COMMIT)?;
    put(slot, commit.checked_add(8)?, digest.finalize())?;
    let record = CRC32.checksum(slot.get(commit..commit + 12)?);
    put(slot, commit + 12, record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(image: &[u8]) -> Result<u32, String> {
        let mut flash = Flash::new(2);
        flash.set_bytes(image).unwrap();
        Subject::new(3).load(&mut flash).map_err(|error| error.to_string())
    }

    #[test]
    fn a_sealed_slot_is_what_the_store_writes() {
        let image = image();
        let mut sealed = image.clone();
        for slot in sealed.chunks_exact_mut(SLOT) {
            seal(slot).unwrap();
        }
        assert_eq!(sealed, image);
    }

    #[test]
    fn changes_reach_what_is_behind_the_checksums() {
        // The last byte of the first weight's exponent: NaN or infinite. Both slots, so that there is no older one.
        let changed = |place: usize, bits: u8| {
            let mut image = image();
            for slot in image.chunks_exact_mut(SLOT) {
                slot[place..place + 4].fill(bits);
                seal(slot).unwrap();
            }
            load(&image)
        };
        assert!(changed(HEADER, 0xff).unwrap_err().contains("parameters"), "not finite");
        assert!(changed(68, 0x55).unwrap_err().contains("another network"), "its fingerprint");
        assert!(changed(HEADER, 0x3f).is_ok(), "another number is none of the reader's business");
    }
}
