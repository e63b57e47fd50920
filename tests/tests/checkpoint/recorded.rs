//! One recorded checkpoint for each version of the format. What stands in them is read here from the bytes, as the format's
//! documentation says, and compared with what is loaded.

use std::path::PathBuf;

use backpass::checkpoint::{Store, format};
use backpass::schedule::StepDecay;
use backpass::{Adam, BatchNorm, CrossEntropy, Dense, Layer, Learner, Memory, Optimizer, Params, Relu, Rng, Scheduled};

use crate::harness::{Flash, bits};

type Net = (Dense<5>, BatchNorm, Relu, Dense<3>);
type Rule = Scheduled<Adam, StepDecay>;
type Beside = (Rng, [u16; 3], bool, f32);

fn rule() -> Rule {
    Adam::new(0.01).schedule(StepDecay::new(3, 0.5))
}

fn file(version: u16) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("data/checkpoint/v{version}.bin"))
}

/// The recorded checkpoint at the beginning of a flash.
fn flash(version: u16) -> (Flash, Vec<u8>) {
    let image = std::fs::read(file(version)).expect("there is one recorded checkpoint for each version");
    let mut flash = Flash::new(4);
    flash.0[..image.len()].copy_from_slice(&image);
    (flash, image)
}

fn number(image: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*image[at..].first_chunk().unwrap())
}

#[test]
fn version_1_is_loaded() {
    let (flash, image) = flash(1);
    let mut store = Store::new(flash, 0..4 * 4096).unwrap();
    let mut memory = Memory::<Net, [f32; 4], Rule>::new();
    let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, rule());
    let mut beside: Beside = (Rng::new(0), [0; 3], false, 0.0);
    let info = store.load(&mut learner, &mut beside).unwrap();
    assert_eq!((info.version, info.sequence, info.length as usize), (1, 1, image.len()));
    assert_eq!((info.observed, info.pending, info.refused), (16, 2, 1));
    assert_eq!(beside, (Rng::new(0x0123_4567_89ab_cdef), [7, 8, 9], true, -0.5));

    // The header's 96 bytes; then parameters, two moments, three words of state, and the gradient.
    let count = <Net as Layer<[f32; 4]>>::Params::COUNT;
    let words: Vec<_> = (0..4 * count + 3).map(|word| number(&image, 96 + 4 * word)).collect();
    let (values, state, gradient) = (&words[..3 * count], &words[3 * count..][..3], &words[3 * count + 3..]);
    let expected = [&[16, 2, 1], &values[..count], gradient, &values[count..], state].concat();
    assert_eq!(bits(&learner), expected);

    // It goes on from there, and is saved as what it is now.
    learner.observe(&[0.5, -1.0, 2.0, 0.25], &1).unwrap();
    learner.update().unwrap();
    assert_eq!(store.save(&learner, &mut beside).unwrap().sequence, 2);
}

/// Fingerprints are the same for ever, or no checkpoint of an earlier version could be loaded. They were computed from the format's
/// documentation by `data/checkpoint/fingerprints.py`.
#[test]
fn fingerprints_of_version_1_are_as_documented() {
    let (flash, image) = flash(1);
    let info = Store::new(flash, 0..4 * 4096).unwrap().latest().unwrap();
    assert_eq!([info.network, info.optimizer, info.extra], FINGERPRINTS);
    assert_eq!(number(&image, 68), info.network as u32);
}

const FINGERPRINTS: [u64; 3] = [0x0e42_6453_8052_ab89, 0xf587_425f_e3b9_7797, 0xb67a_3e41_9177_cdb2];

/// Makes the recording of the version that is written now, if there is none yet:
/// `cargo test -p backpass-tests --test checkpoint -- --ignored record`.
#[test]
#[ignore = "writes a file"]
fn record() {
    let path = file(format::VERSION);
    assert!(!path.exists(), "{} is kept as it is", path.display());
    let mut memory = Memory::<Net, [f32; 4], Rule>::new();
    let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, rule());
    learner.initialize(1);
    let mut rng = Rng::new(2);
    for step in 0..16 {
        learner.observe(&[(); 4].map(|()| rng.symmetric(1.0)), &(step % 3)).unwrap();
        if step % 7 == 6 {
            learner.update().unwrap();
        }
    }
    learner.observe(&[f32::NAN; 4], &0).unwrap_err();
    let mut beside: Beside = (Rng::new(0x0123_4567_89ab_cdef), [7, 8, 9], true, -0.5);
    let mut store = Store::new(Flash::new(4), 0..4 * 4096).unwrap();
    let length = store.save(&learner, &mut beside).unwrap().length as usize;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, &store.release().0[..length]).unwrap();
}
