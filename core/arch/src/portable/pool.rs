//! The maxima of windows.

use crate::{CLOSED, Window};

/// `y[c]` is the maximum of channel `c` of the window whose first element is `x[first + c]`: the first largest one, but the last
/// NaN if there is one. With a `place`, `x[place + c]` takes the index of the maximum, with [`CLOSED`] set if that is
/// zero; the place lies in front of the window, or is its first element.
///
/// For each element: 1 load, 1 comparison.
pub fn window_max(x: &mut [f32], first: usize, place: Option<usize>, y: &mut [f32], window: &Window) {
    if window.fits(first, place, x.len(), y.len()) {
        from_channel(x, first, place, y, window, 0);
    }
}

/// The channels from `channel` on, of a window that fits.
pub(crate) fn from_channel(
    x: &mut [f32],
    first: usize,
    place: Option<usize>,
    y: &mut [f32],
    window: &Window,
    channel: usize,
) {
    let (first, place) = (first + channel, place.map(|place| place + channel));
    let y = y.get_mut(channel..).unwrap_or_default();
    let channels = y.len();
    y.iter_mut().zip(x.get(first..).unwrap_or_default()).for_each(|(y, x)| *y = *x);
    if let Some(places) = place.and_then(|place| x.get_mut(place..)) {
        places.iter_mut().take(channels).enumerate().for_each(|(c, place)| *place = f32::from_bits((first + c) as u32));
    }
    for row in 0..window.rows {
        for column in 0..window.columns {
            let at = first + row * window.row_step + column * window.column_step;
            if row == 0 && column == 0 {
                continue;
            }
            let Some((front, values)) = x.split_at_mut_checked(at) else { return };
            match place.and_then(|place| front.get_mut(place..)) {
                Some(places) => {
                    // Chosen, not branched to: which element is the largest, nobody can guess.
                    for (c, ((y, place), x)) in y.iter_mut().zip(places).zip(values).enumerate() {
                        let (here, bits) = ((at + c) as u32, place.to_bits());
                        let wins = beats(*x, *y);
                        *place = f32::from_bits(if wins { here } else { bits });
                        *y = if wins { *x } else { *y };
                    }
                }
                None => {
                    for (y, x) in y.iter_mut().zip(values) {
                        *y = if beats(*x, *y) { *x } else { *y };
                    }
                }
            }
        }
    }
    if let Some(places) = place.and_then(|place| x.get_mut(place..)) {
        for (place, y) in places.iter_mut().zip(y) {
            *place = f32::from_bits(place.to_bits() | if *y == 0.0 { CLOSED } else { 0 });
        }
    }
}

/// Whether `value` beats the largest so far.
fn beats(value: f32, largest: f32) -> bool {
    (value > largest) | value.is_nan()
}
