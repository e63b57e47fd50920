//! The biases of recurrent layers: frameworks have one for the input and one for the hidden state, the learner their sum.
//!
//! Only the candidate of a GRU has both, as the reset gate acts between them: rows r, z, n, q in the learner, where n is the
//! input's and q the hidden state's.

use crate::network::Cell;

/// A GRU's gates in Keras and ONNX: z, r, n.
pub(crate) const UPDATE_FIRST: &[usize] = &[1, 0, 2];
/// An LSTM's gates in ONNX: i, o, f, g.
pub(crate) const OUTPUT_SECOND: &[usize] = &[0, 3, 1, 2];
/// The learner's and PyTorch's order, of as many gates as there are.
pub(crate) const AS_THEY_ARE: &[usize] = &[0, 1, 2, 3];

/// The row of a GRU's candidate.
const CANDIDATE: usize = 2;

/// The learner's bias from the two of a framework, whose gates are in this order.
pub(crate) fn join(cell: Cell, gates: &[usize], hidden: usize, input: &[f32], state: &[f32]) -> Vec<f32> {
    let mut bias = vec![0.0; cell.bias_rows() * hidden];
    let rows = input.chunks(hidden).zip(state.chunks(hidden));
    for ((input, state), gate) in rows.zip(gates) {
        let separate = cell == Cell::Gru && *gate == CANDIDATE;
        for (unit, (input, state)) in input.iter().zip(state).enumerate() {
            if separate {
                bias[gate * hidden + unit] = *input;
                bias[(gate + 1) * hidden + unit] = *state;
            } else {
                // A sum with zero is the other, to the sign of its own zero.
                bias[gate * hidden + unit] = if *state == 0.0 { *input } else { input + state };
            }
        }
    }
    bias
}

/// The two biases of a framework that make the learner's: all that can be is the input's.
pub(crate) fn split(cell: Cell, gates: &[usize], hidden: usize, bias: &[f32]) -> [Vec<f32>; 2] {
    let row = |gate: usize| &bias[gate * hidden..][..hidden];
    let order = &gates[..cell.gates()];
    let input = order.iter().flat_map(|gate| row(*gate).iter().copied()).collect();
    let state = order.iter().flat_map(|gate| {
        let separate = cell == Cell::Gru && *gate == CANDIDATE;
        if separate { row(gate + 1).to_vec() } else { vec![0.0; hidden] }
    });
    [input, state.collect()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_split_is_joined_again_bit_for_bit() {
        for (cell, gates) in [
            (Cell::Rnn, AS_THEY_ARE),
            (Cell::Gru, AS_THEY_ARE),
            (Cell::Gru, UPDATE_FIRST),
            (Cell::Lstm, AS_THEY_ARE),
            (Cell::Lstm, OUTPUT_SECOND),
        ] {
            let mut bias: Vec<f32> = (0..2 * cell.bias_rows()).map(|i| i as f32 * 0.1 - 0.2).collect();
            bias[0] = -0.0;
            let [input, state] = split(cell, gates, 2, &bias);
            assert_eq!(input.len(), 2 * cell.gates());
            let joined = join(cell, gates, 2, &input, &state);
            assert!(joined.iter().zip(&bias).all(|(a, b)| a.to_bits() == b.to_bits()), "{cell:?} {joined:?}");
        }
    }

    #[test]
    fn a_gru_keeps_both_biases_of_its_candidate() {
        // PyTorch's rows r, z, n.
        let joined = join(Cell::Gru, AS_THEY_ARE, 1, &[1.0, 2.0, 3.0], &[0.5, 0.25, 4.0]);
        assert_eq!(joined, [1.5, 2.25, 3.0, 4.0]);
        let onnx = join(Cell::Gru, UPDATE_FIRST, 1, &[2.0, 1.0, 3.0], &[0.25, 0.5, 4.0]);
        assert_eq!(onnx, joined);
    }
}
