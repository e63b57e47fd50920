//! A running quantile.

use crate::checkpoint::{Archive, Persist};
use crate::stream::error::ValueError;

/// The `q`-quantile of all values so far, in five markers: the P² algorithm. 40 bytes, whatever the number of values.
///
/// The markers are the minimum, the maximum, the quantile and two halfway; each is moved along a parabola through its neighbours when it
/// is a place or more away from where it should be. Up to five values, the quantile is that of the sorted values.
///
/// `river.stats.Quantile`. Source: Jain and Chlamtac, "The P² algorithm for dynamic calculation of quantiles and histograms without storing
/// observations" (Communications of the ACM 1985). Positions are whole numbers here, so a long run loses nothing; heights are within 1e-5 of the
/// spread of the values of those in `f64`. After `u32::MAX` values the quantile stays.
///
/// ```
/// use backpass::stream::Quantile;
/// let mut quantile = Quantile::new(0.9);
/// assert_eq!(quantile.get(), None);
/// for i in 0..1000 {
///     quantile.update((i * 7919 % 1000) as f32)?; // 0 to 999, mixed
/// }
/// assert!((quantile.get().unwrap() - 900.0).abs() < 5.0);
/// # Ok::<(), backpass::stream::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Quantile {
    /// q in units of 2^-31.
    q: u32,
    count: u32,
    /// In order; up to five values are the values themselves.
    heights: [f32; 5],
    /// The positions of the inner three markers among all values in order, from 1; 0 below five values. The first marker stands at 1, the
    /// last at the count.
    positions: [u32; 3],
}

/// An estimated value and its position.
#[derive(Clone, Copy)]
struct Marker {
    height: f32,
    position: u32,
}

/// 1 as a fixed-point number.
const ONE: u64 = 1 << 31;

impl Quantile {
    /// The quantile for a `q` between 0 and 1, such as 0.99; one outside becomes the nearest that is inside. It is rounded to
    /// multiples of 2^-31.
    pub const fn new(q: f32) -> Self {
        // Saturates; NaN becomes 0.
        let q = (q * ONE as f32) as u32;
        let most = ONE as u32 - 1;
        let q = if q < 1 {
            1
        } else if q > most {
            most
        } else {
            q
        };
        Self { q, count: 0, heights: [0.0; 5], positions: [0; 3] }
    }

    /// Which quantile it is.
    pub const fn q(&self) -> f32 {
        self.q as f32 / ONE as f32
    }

    /// The quantile; `None` of nothing.
    pub fn get(&self) -> Option<f32> {
        if self.count > 5 {
            return Some(self.heights[2]);
        }
        let index = (u64::from(self.count) * u64::from(self.q) / ONE).min(u64::from(self.count.checked_sub(1)?));
        self.heights.get(index as usize).copied()
    }

    /// How many values there were. Stays at `u32::MAX` once there.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Forgets all values.
    pub const fn reset(&mut self) {
        *self = Self { q: self.q, count: 0, heights: [0.0; 5], positions: [0; 3] };
    }

    /// Takes one more value.
    ///
    /// # Errors
    /// [`ValueError`]: it is not finite, or above 1e18. Nothing has changed then.
    pub fn update(&mut self, value: f32) -> Result<(), ValueError> {
        ValueError::check(value)?;
        if self.count < 5 {
            self.insert(value);
        } else if self.count < u32::MAX {
            self.count += 1;
            self.adjust(value);
        }
        Ok(())
    }

    /// Puts one of the first five values in its place.
    fn insert(&mut self, value: f32) {
        let mut carried = value;
        for (index, height) in (0..).zip(&mut self.heights) {
            if index >= self.count {
                *height = carried;
                break;
            }
            if carried < *height {
                core::mem::swap(&mut carried, height);
            }
        }
        self.count += 1;
        if self.count == 5 {
            self.positions = [2, 3, 4];
        }
    }

    fn adjust(&mut self, value: f32) {
        let [h0, inner @ .., h4] = &mut self.heights;
        *h0 = h0.min(value);
        *h4 = h4.max(value);
        // A value moves the markers above it up by one place.
        for (height, position) in inner.iter().zip(&mut self.positions) {
            if value < *height {
                *position = position.saturating_add(1);
            }
        }

        // Where the inner ones should be: (count - 1) q / 2, q and (1 + q) / 2 behind the first, in units of 2^-32.
        let (before, q) = (u64::from(self.count - 1), u64::from(self.q));
        let ([h0, h1, h2, h3, h4], [p1, p2, p3]) = (self.heights, self.positions);
        let marker = |height, position| Marker { height, position };
        let m1 = marker(h1, p1).moved(marker(h0, 1), marker(h2, p2), before * q);
        let m2 = marker(h2, p2).moved(m1, marker(h3, p3), before * (2 * q));
        let m3 = marker(h3, p3).moved(m2, marker(h4, self.count), before * (ONE + q));
        self.heights = [h0, m1.height, m2.height, m3.height, h4];
        self.positions = [m1.position, m2.position, m3.position];
    }
}

impl Persist for Quantile {
    fn persist(&mut self, archive: &mut Archive<'_>) {
        archive.name("Quantile");
        let count = archive.u32(&mut self.count);
        let mut before = -f32::INFINITY;
        for (index, height) in (0..).zip(&mut self.heights) {
            let height = archive.f32(height);
            archive.require(ValueError::check(height).is_ok());
            if index < count {
                archive.require(before <= height);
                before = height;
            }
        }
        let [p1, p2, p3] = self.positions.each_mut().map(|position| archive.u32(position));
        archive.require(if count < 5 { [p1, p2, p3] == [0; 3] } else { 1 < p1 && p1 < p2 && p2 < p3 && p3 < count });
    }
}

impl Marker {
    /// Moved by one place towards `behind_first`, in units of 2^-32 behind the first place, if it is a place or more away and there
    /// is room.
    fn moved(self, below: Self, above: Self, behind_first: u64) -> Self {
        let Self { height, position } = self;
        // Positions are from 1: in the same units, this one is `here` behind the first.
        let here = u64::from(position.saturating_sub(1)) << 32;
        let place = 1_u64 << 32;
        let room_above = (above.position.saturating_sub(position)) as f32;
        let room_below = (position.saturating_sub(below.position)) as f32;
        let (direction, neighbour, room) = if behind_first.saturating_sub(here) >= place && room_above > 1.0 {
            (1.0, above, room_above)
        } else if here.saturating_sub(behind_first) >= place && room_below > 1.0 {
            (-1.0, below, room_below)
        } else {
            return self;
        };
        let (rise_above, rise_below) = (above.height - height, height - below.height);
        let slopes =
            (room_below + direction) * rise_above / room_above + (room_above - direction) * rise_below / room_below;
        let parabola = height + direction / (room_above + room_below) * slopes;
        let position = if direction > 0.0 { position.saturating_add(1) } else { position.saturating_sub(1) };
        if below.height < parabola && parabola < above.height {
            return Self { height: parabola, position };
        }
        Self { height: height + (neighbour.height - height) / room, position }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::Rng;

    fn of(q: f32, values: &[f32]) -> Quantile {
        let mut quantile = Quantile::new(q);
        values.iter().for_each(|x| quantile.update(*x).unwrap());
        quantile
    }

    #[test]
    fn uniform_numbers_have_their_quantiles() {
        let mut rng = Rng::new(3);
        let values: Vec<_> = (0..100_000).map(|_| rng.unit()).collect();
        for q in [0.01, 0.25, 0.5, 0.9, 0.99, 0.999] {
            let estimate = of(q, &values).get().unwrap();
            // The deviation of the exact quantile itself is sqrt(q (1 - q) / n).
            assert!((estimate - q).abs() < 5.0 * (q * (1.0 - q) / 1e5).sqrt() + 1e-3, "{q}: {estimate}");
        }
    }

    #[test]
    fn few_values_are_looked_up() {
        assert_eq!(Quantile::new(0.5).get(), None);
        assert_eq!(of(0.5, &[3.0]).get(), Some(3.0));
        assert_eq!(of(0.5, &[3.0, 1.0, 2.0]).get(), Some(2.0));
        assert_eq!(of(0.99, &[3.0, 1.0, 5.0, 2.0, 4.0]).get(), Some(5.0));
        assert_eq!(of(0.01, &[3.0, 1.0, 5.0, 2.0, 4.0]).get(), Some(1.0));
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut quantile = of(0.5, &[1.0, 2.0]);
        let before = quantile;
        assert_eq!(quantile.update(f32::NAN), Err(ValueError::NotFinite));
        assert_eq!(quantile.update(-1e19), Err(ValueError::TooLarge));
        assert_eq!(quantile, before);
    }

    #[test]
    fn a_q_outside_becomes_the_nearest_inside() {
        for q in [-1.0, 0.0, 1.0, 7.0, f32::NAN] {
            let quantile = of(q, &[5.0, 1.0, 4.0, 2.0, 3.0, 2.5, 3.5]);
            assert!((1.0..=5.0).contains(&quantile.get().unwrap()));
        }
    }

    #[test]
    fn a_full_count_stays() {
        let mut quantile = of(0.5, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        quantile.count = u32::MAX - 1;
        quantile.update(3.0).unwrap();
        let before = quantile;
        quantile.update(-100.0).unwrap();
        assert_eq!((quantile, quantile.count()), (before, u32::MAX));
    }

    proptest! {
        #[test]
        fn markers_stay_in_order(q in 0.001_f32..0.999, values in prop::collection::vec(-1e18_f32..1e18, 5..200)) {
            let mut quantile = Quantile::new(q);
            for x in values {
                quantile.update(x).unwrap();
                if quantile.count() >= 5 {
                    let [p1, p2, p3] = quantile.positions;
                    prop_assert!(quantile.heights.is_sorted() && 1 < p1 && p1 < p2 && p2 < p3 && p3 < quantile.count());
                }
            }
        }
    }
}
