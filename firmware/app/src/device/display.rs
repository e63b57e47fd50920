//! What a device shows.

use embedded_hal::delay::DelayNs;
use embedded_hal::digital::OutputPin;

/// What is to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Face {
    /// What the application has to say.
    pub sign: Sign,
    /// Whether something does not work.
    pub fault: bool,
}

/// What an application has to say.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Sign {
    /// Nothing.
    #[default]
    None,
    /// This class is being learned.
    Learning {
        /// The class, counted from 0.
        class: u8,
    },
    /// It is this class.
    Class {
        /// The class, counted from 0.
        class: u8,
        /// How sure the network is, 0 to 1.
        confidence: f32,
    },
    /// What is normal is being learned.
    LearningNormal {
        /// How much of the time has passed, 0 to 1.
        progress: f32,
    },
    /// How far from normal it is.
    Watching {
        /// The error, in thresholds.
        error: f32,
        /// Whether there is an alarm.
        alarm: bool,
    },
}

/// LEDs, or a screen.
pub trait Display {
    /// Shows a face for so many microseconds.
    fn show(&mut self, face: &Face, delay: &mut impl DelayNs, microseconds: u32);
}

/// A row of LEDs, each on a pin of its own that is high while it is lit: one a class, and one for faults.
///
/// Learning a class, its LED and the last of the row are lit; learning what is normal, the first ones, as time passes. With an alarm all
/// are lit.
#[derive(Debug)]
pub struct Leds<P, F, const N: usize> {
    /// One a class.
    pub classes: [P; N],
    /// Lit while something does not work.
    pub fault: F,
}

impl<P: OutputPin, F: OutputPin, const N: usize> Display for Leds<P, F, N> {
    fn show(&mut self, face: &Face, delay: &mut impl DelayNs, microseconds: u32) {
        for (index, pin) in self.classes.iter_mut().enumerate() {
            let is_lit = match face.sign {
                Sign::None => false,
                Sign::Learning { class } => index == usize::from(class) || index + 1 == N,
                Sign::Class { class, .. } => index == usize::from(class),
                Sign::LearningNormal { progress } => (index as f32) < progress * N as f32,
                Sign::Watching { error, alarm } => alarm || (index as f32 + 1.0) <= error * N as f32 / 2.0,
            };
            set(pin, is_lit);
        }
        set(&mut self.fault, face.fault);
        wait(delay, microseconds);
    }
}

/// A matrix of 5 by 5 LEDs: lit where the row's pin is high and the column's is low, as on the BBC micro:bit.
///
/// Four columns show the class as a digit, counted from 1, or a bar; the right one shows how sure the network is, from below. The corner
/// below on the left is lit while something is being learned; the one above on the left while something does not work.
#[derive(Debug)]
pub struct Matrix<R, C> {
    /// The pins of the rows, from above.
    pub rows: [R; 5],
    /// The pins of the columns, from the left.
    pub columns: [C; 5],
}

/// How long a row is lit. All five make 100 pictures a second.
const ROW: u32 = 2000;

/// Digits of three columns, the left one being the highest bit of a row.
const DIGITS: [[u8; 5]; 10] = [
    [0b010, 0b110, 0b010, 0b010, 0b111],
    [0b111, 0b001, 0b111, 0b100, 0b111],
    [0b111, 0b001, 0b011, 0b001, 0b111],
    [0b101, 0b101, 0b111, 0b001, 0b001],
    [0b111, 0b100, 0b111, 0b001, 0b111],
    [0b111, 0b100, 0b111, 0b101, 0b111],
    [0b111, 0b001, 0b010, 0b010, 0b010],
    [0b111, 0b101, 0b111, 0b101, 0b111],
    [0b111, 0b101, 0b111, 0b001, 0b111],
    [0b111, 0b101, 0b101, 0b101, 0b111],
];

/// The picture of a face, a row from above a byte, the left column being bit 4.
fn picture(face: &Face) -> [u8; 5] {
    let mut rows = [0; 5];
    let mut class = |class: u8, columns: u32| {
        let digit = DIGITS.get(usize::from(class)).copied().unwrap_or([0b111; 5]);
        rows = digit.map(|row| row << columns);
    };
    match face.sign {
        Sign::None => {}
        Sign::Learning { class: number } => class(number, 1),
        Sign::Class { class: number, .. } => class(number, 1),
        Sign::Watching { alarm: true, .. } => rows = [0b10001, 0b01010, 0b00100, 0b01010, 0b10001],
        Sign::LearningNormal { .. } | Sign::Watching { .. } => {}
    }
    let bar = match face.sign {
        Sign::Class { confidence, .. } => confidence,
        Sign::LearningNormal { progress } => progress,
        // Full at twice the threshold.
        Sign::Watching { error, alarm: false } => 0.5 * error,
        _ => 0.0,
    };
    for (row, level) in rows.iter_mut().rev().zip([0.1, 0.3, 0.5, 0.7, 0.9]) {
        *row |= u8::from(bar >= level);
    }
    let [first, .., last] = &mut rows;
    let learning = matches!(face.sign, Sign::Learning { .. } | Sign::LearningNormal { .. });
    *last |= u8::from(learning) << 4;
    *first |= u8::from(face.fault) << 4;
    rows
}

impl<R: OutputPin, C: OutputPin> Display for Matrix<R, C> {
    fn show(&mut self, face: &Face, delay: &mut impl DelayNs, microseconds: u32) {
        let picture = picture(face);
        let mut remaining = microseconds;
        while let Some(rest) = remaining.checked_sub(ROW * 5) {
            remaining = rest;
            for (row, lit) in self.rows.iter_mut().zip(picture) {
                for (bit, column) in self.columns.iter_mut().rev().enumerate() {
                    set(column, lit >> bit & 1 == 0);
                }
                set(row, true);
                delay.delay_us(ROW);
                set(row, false);
            }
        }
        wait(delay, remaining);
    }
}

/// Some hardware timers never end a delay of 0.
fn wait(delay: &mut impl DelayNs, microseconds: u32) {
    if microseconds > 0 {
        delay.delay_us(microseconds);
    }
}

/// An LED that cannot be set is not seen; nothing could be shown of it.
fn set(pin: &mut impl OutputPin, high: bool) {
    let _ = pin.set_state(high.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_a_digit_with_a_bar() {
        let face = Face { sign: Sign::Class { class: 0, confidence: 0.6 }, fault: true };
        assert_eq!(picture(&face), [0b10100, 0b01100, 0b00101, 0b00101, 0b01111]);
        let face = Face { sign: Sign::Learning { class: 3 }, fault: false };
        assert_eq!(picture(&face), [0b01010, 0b01010, 0b01110, 0b00010, 0b10010]);
    }

    #[test]
    fn an_alarm_is_a_cross() {
        let face = Face { sign: Sign::Watching { error: 3.0, alarm: true }, fault: false };
        assert_eq!(picture(&face)[2], 0b00100);
        let face = Face { sign: Sign::Watching { error: 1.0, alarm: false }, fault: false };
        assert_eq!(picture(&face), [0, 0, 1, 1, 1]);
    }
}
