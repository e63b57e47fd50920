//! Parameters in pieces.

use core::ops::Range;

use backpass::Params;

use super::message::Refusal;
use crate::parameters_crc32;

/// New parameters on their way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transfer {
    pub(super) crc32: u32,
    pub(super) next: u32,
}

/// Which of an array's `len` numbers, the first of which is number `at` of all, are among the `count` from `offset` on.
fn among(offset: usize, count: usize, at: usize, len: usize) -> Range<usize> {
    let from = offset.saturating_sub(at).min(len);
    from..offset.saturating_add(count).saturating_sub(at).min(len)
}

/// Calls `visitor` with the parts of the parameters from `offset` on.
pub(super) fn read<P: Params>(params: &P, offset: usize, count: usize, visitor: &mut dyn FnMut(&[f32])) {
    let mut at = 0_usize;
    params.visit(None, &mut |_, values| {
        visitor(values.get(among(offset, count, at, values.len())).unwrap_or_default());
        at = at.saturating_add(values.len());
    });
}

/// Writes numbers to the places from `offset` on.
pub(super) fn write<P: Params>(staged: &mut P, offset: usize, numbers: &[[u8; 4]]) {
    let (mut at, mut numbers_left) = (0_usize, numbers.iter());
    P::visit_mut([staged], None, &mut |_, [values]| {
        let (places, len) = (among(offset, numbers.len(), at, values.len()), values.len());
        // Places first: they end earlier.
        for (value, bytes) in values.get_mut(places).unwrap_or_default().iter_mut().zip(&mut numbers_left) {
            *value = f32::from_le_bytes(*bytes);
        }
        at = at.saturating_add(len);
    });
}

/// Takes over what was gathered, if it is whole and finite.
pub(super) fn commit<P: Params>(transfer: Transfer, [params, staged]: [&mut P; 2]) -> Result<u32, Refusal> {
    let missing = (P::COUNT as u32).saturating_sub(transfer.next);
    if missing > 0 {
        return Err(Refusal::Incomplete { missing });
    }
    let got = parameters_crc32(staged);
    if got != transfer.crc32 {
        return Err(Refusal::Checksum { got });
    }
    let (mut at, mut bad) = (0_u32, None);
    staged.visit(None, &mut |_, values| {
        for value in values {
            if !value.is_finite() && bad.is_none() {
                bad = Some(at);
            }
            at = at.saturating_add(1);
        }
    });
    if let Some(index) = bad {
        return Err(Refusal::Parameter { index });
    }
    P::visit_mut([params, staged], None, &mut |_, [values, staged]| {
        values.iter_mut().zip(staged).for_each(|(value, staged)| *value = *staged);
    });
    Ok(got)
}
