//! Real recordings. Sources, licences and units: `host-sim/data/README.md`.

/// A recording of one movement.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// What it is of.
    pub class: usize,
    /// 0 for the training half and 1 for the test half; in [`shoulder_exercises`] the number of the subject.
    pub group: usize,
    /// The rows: acceleration along x, y and z in m/s², then rotation about x, y and z in rad/s. What was not recorded is 0.
    pub rows: Vec<[f32; 6]>,
}

/// The classes of [`basic_motions`].
pub const BASIC_MOTIONS: [&str; 4] = ["standing", "running", "walking", "badminton"];
/// The rows a second of [`basic_motions`].
pub const BASIC_MOTIONS_RATE: u32 = 10;

/// BasicMotions: four people wear a smart watch while they stand, run, walk and play badminton. 80 recordings of 10 seconds, 40 in each
/// half, in the order of the archive: the classes one after another. Accelerometer and gyroscope.
#[must_use]
pub fn basic_motions() -> Vec<Recording> {
    let data = include_bytes!("../../data/basic_motions.bin");
    parse(data, |[ax, ay, az, gx, gy, gz]: [f32; 6]| [ax * 1e-3, ay * 1e-3, az * 1e-3, gx * 2e-3, gy * 2e-3, gz * 2e-3])
}

/// The rows a second of [`pickup_gesture`], as the remote control of a Wii sends them.
pub const PICKUP_GESTURE_RATE: u32 = 100;

/// PickupGestureWiimoteZ: ten people (the classes) pick up a remote control. 100 recordings of 0.3 to 3.6 seconds, 50 in each half.
/// Acceleration along z alone.
#[must_use]
pub fn pickup_gesture() -> Vec<Recording> {
    let g = crate::devices::STANDARD_GRAVITY;
    parse(include_bytes!("../../data/pickup_gesture.bin"), |[z]: [f32; 1]| [0.0, 0.0, z * 1e-4 * g, 0.0, 0.0, 0.0])
}

/// The classes of [`shoulder_exercises`].
pub const SHOULDER_EXERCISES: [&str; 7] = [
    "pendulum",
    "abduction",
    "forward elevation",
    "internal rotation",
    "external rotation",
    "trapezius extension",
    "upright row",
];
/// The rows a second of [`shoulder_exercises`].
pub const SHOULDER_EXERCISES_RATE: u32 = 25;

/// Ten people (the groups, 1 to 10) wear a smart watch on the right arm and do 20 repetitions of each of seven exercises of physiotherapy.
/// 70 recordings, 20 to 60 seconds each. Accelerometer, with gravity.
#[must_use]
pub fn shoulder_exercises() -> Vec<Recording> {
    let unit = 2e-4 * crate::devices::STANDARD_GRAVITY;
    parse(include_bytes!("../../data/shoulder_exercises.bin"), |[x, y, z]: [f32; 3]| {
        [x * unit, y * unit, z * unit, 0.0, 0.0, 0.0]
    })
}

/// The format is described in `make_recordings.py`.
fn parse<const C: usize>(mut data: &[u8], row: impl Fn([f32; C]) -> [f32; 6]) -> Vec<Recording> {
    let mut recordings = Vec::new();
    while let Some((&[class, group, low, high], rest)) = data.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes([low, high]));
        let (rows, rest) = rest.split_at(length * C * 2);
        data = rest;
        let values: Vec<f32> = rows.as_chunks().0.iter().map(|bytes| f32::from(i16::from_le_bytes(*bytes))).collect();
        recordings.push(Recording {
            class: class.into(),
            group: group.into(),
            rows: values.as_chunks().0.iter().map(|values| row(*values)).collect(),
        });
    }
    recordings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean of each channel over some recordings, and the standard deviation.
    fn statistics<'r>(recordings: impl Iterator<Item = &'r Recording>) -> ([f64; 6], [f64; 6]) {
        let rows: Vec<_> = recordings.flat_map(|recording| &recording.rows).collect();
        let mean = |f: &dyn Fn(f64, usize) -> f64| {
            std::array::from_fn(|c| rows.iter().map(|row| f(f64::from(row[c]), c)).sum::<f64>() / rows.len() as f64)
        };
        let means: [f64; 6] = mean(&|x, _| x);
        (means, mean(&|x, c| (x - means[c]).powi(2)).map(f64::sqrt))
    }

    #[test]
    fn basic_motions_are_the_published_set() {
        let recordings = basic_motions();
        assert_eq!(recordings.len(), 80);
        for half in 0..2 {
            let part: Vec<_> = recordings.iter().filter(|recording| recording.group == half).collect();
            assert!(part.iter().all(|recording| recording.rows.len() == 100));
            let classes: Vec<_> = part.iter().map(|recording| recording.class).collect();
            assert_eq!(classes, [[0; 10], [1; 10], [2; 10], [3; 10]].concat());
        }
        // numpy's mean and std over the training file.
        let (means, deviations) = statistics(recordings.iter().filter(|recording| recording.group == 0));
        let expected = [2.55275963, -1.30393677, -1.0265805, 0.0190511, -0.0239577, -0.05578966];
        assert!(means.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{means:?}");
        let expected = [7.07230565, 6.79408756, 3.54637348, 2.11192018, 1.82075064, 3.51658593];
        assert!(deviations.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{deviations:?}");
    }

    #[test]
    fn the_others_are_whole() {
        let gestures = pickup_gesture();
        assert_eq!(gestures.len(), 100);
        assert!(gestures.iter().all(|recording| recording.class < 10 && (29..=361).contains(&recording.rows.len())));
        let exercises = shoulder_exercises();
        assert_eq!(exercises.len(), 70);
        for subject in 1..=10 {
            let of_subject = exercises.iter().filter(|recording| recording.group == subject);
            assert!(of_subject.map(|recording| recording.class).eq(0..7));
        }
        // Gravity is in the measurements of an arm that hangs.
        let (means, _) = statistics(exercises.iter().filter(|recording| recording.class == 3));
        assert!((means.iter().map(|x| x * x).sum::<f64>().sqrt() - 9.8).abs() < 1.0, "{means:?}");
    }
}
