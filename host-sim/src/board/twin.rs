//! The board's twin: the same application on the host, and the comparison of the two, bit by bit.

use std::collections::BTreeMap;

use backpass::Params;
use backpass_app::digits::{self, Ram};
use backpass_app::parameters_crc32;

use super::{BoardError, BoardLog, Machine};

/// A board's parameters beside the twin's.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// How many parameters were compared.
    pub parameters: usize,
    /// How many of them differ in any bit or are missing on one side.
    pub differing: usize,
    /// The first that differs: its slice, its position there, the board's bits and the twin's (none where missing).
    pub first_difference: Option<(String, usize, Option<u32>, Option<u32>)>,
    /// CRC-32 of the board's parameters, as the board computed it.
    pub board_crc32: u32,
    /// CRC-32 of the twin's parameters.
    pub twin_crc32: u32,
    /// Rightly classified test samples and all test samples: on the board, and in the twin.
    pub classified: [(u32, u32); 2],
}

impl Comparison {
    /// Runs the twin of a machine's application and compares.
    ///
    /// # Errors
    /// [`BoardError::Incomplete`] if the log lacks the CRC or the test.
    pub fn with_twin(machine: Machine, log: &BoardLog) -> Result<Self, BoardError> {
        let twin = if machine.is_small() {
            twin::<{ digits::SMALL_HIDDEN }>(machine)
        } else {
            twin::<{ digits::HIDDEN }>(machine)
        };
        Self::of(log, &twin)
    }

    fn of(board: &BoardLog, twin: &BoardLog) -> Result<Self, BoardError> {
        let (mut parameters, mut differing, mut first_difference) = (0, 0, None);
        let empty = Vec::new();
        let names: std::collections::BTreeSet<_> = board.parameters.keys().chain(twin.parameters.keys()).collect();
        for name in names {
            let of = |log: &BoardLog| log.parameters.get(name).unwrap_or(&empty).clone();
            let (ours, theirs) = (of(twin), of(board));
            for index in 0..ours.len().max(theirs.len()) {
                let (board, twin) = (theirs.get(index).copied(), ours.get(index).copied());
                parameters += 1;
                if board != twin {
                    differing += 1;
                    first_difference.get_or_insert_with(|| (name.clone(), index, board, twin));
                }
            }
        }
        let crc = |log: &BoardLog| log.crc32.ok_or(BoardError::Incomplete { what: "the CRC of its parameters" });
        let classified =
            |log: &BoardLog| log.classified.ok_or(BoardError::Incomplete { what: "the result of its test" });
        Ok(Self {
            parameters,
            differing,
            first_difference,
            board_crc32: crc(board)?,
            twin_crc32: crc(twin)?,
            classified: [classified(board)?, classified(twin)?],
        })
    }

    /// Whether every parameter, the CRC and the result of the test are the same.
    #[must_use]
    pub fn identical(&self) -> bool {
        let [board, twin] = self.classified;
        self.differing == 0 && self.parameters > 0 && self.board_crc32 == self.twin_crc32 && board == twin
    }

    /// The board's test accuracy, 0 to 1.
    #[must_use]
    pub fn test_accuracy(&self) -> f32 {
        let [(correct, tested), _] = self.classified;
        correct as f32 / tested.max(1) as f32
    }
}

/// Runs the application of a machine here and notes what the board would say.
fn twin<const HIDDEN: usize>(machine: Machine) -> BoardLog {
    let mut memory = Box::new(Ram::<HIDDEN>::new());
    let mut learner = digits::learner(&mut memory);
    let mut order = vec![0; machine.size().1];
    let epoch = digits::run(&mut learner, &mut order, &mut |_| {});
    let mut parameters = BTreeMap::new();
    learner.params().visit(None, &mut |name, values| {
        parameters.insert(name.to_string(), values.iter().map(|value| value.to_bits()).collect());
    });
    BoardLog {
        parameters,
        classified: epoch.map(|epoch| (epoch.correct, epoch.tested)),
        crc32: Some(parameters_crc32(learner.params())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twin_is_identical_to_itself() {
        let log = twin::<{ digits::SMALL_HIDDEN }>(Machine::Microbit);
        let comparison = Comparison::with_twin(Machine::Microbit, &log).unwrap();
        assert!(comparison.identical());
        assert_eq!(comparison.parameters, 64 * 8 + 8 + 8 * 10 + 10);
        assert!(comparison.test_accuracy() > 0.5);
    }

    #[test]
    fn one_bit_a_missing_value_and_another_test_result_are_differences() {
        let log = twin::<{ digits::SMALL_HIDDEN }>(Machine::Microbit);
        let compare = |change: &dyn Fn(&mut BoardLog)| {
            let mut changed = log.clone();
            change(&mut changed);
            Comparison::of(&changed, &log)
        };
        let bias = |log: &mut BoardLog| log.parameters.get_mut("2.bias").unwrap()[3] ^= 1;
        let comparison = compare(&bias).unwrap();
        assert!(!comparison.identical());
        assert_eq!(comparison.differing, 1);
        assert_eq!(comparison.first_difference.unwrap().0, "2.bias");

        let short = compare(&|log| log.parameters.get_mut("0.weight").unwrap().truncate(500)).unwrap();
        assert_eq!((short.identical(), short.differing), (false, 12));
        assert!(!compare(&|log| log.crc32 = Some(1)).unwrap().identical());
        assert!(!compare(&|log| log.classified = Some((1, 360))).unwrap().identical());
        assert!(matches!(compare(&|log| log.crc32 = None), Err(BoardError::Incomplete { .. })));
    }
}
