//! The meeting of one input pixel of a convolution with the kernel elements that it reaches and with dL/dy: what is common to all
//! platforms.

use crate::Meeting;

/// Four channels at a time, or one.
pub(crate) trait Meet {
    /// For channels `channels` of the pixel, all different, with values `x`: adds to the gradients of their weights, and returns dL/dx.
    fn four(&mut self, x: [f32; 4], channels: [usize; 4]) -> [f32; 4];

    /// The same for one channel.
    fn one(&mut self, x: f32, channel: usize) -> f32;
}

/// Channels that are zero are left out unless `all` are wanted. `finish` makes of an input and its dL/dx what is left in its place.
#[inline(always)]
pub(crate) fn meet(pixel: &mut [f32], all: bool, finish: impl Fn(f32, f32) -> f32, mut meeting: impl Meet) {
    let mut four = |pixel: &mut [f32], channels: [usize; 4]| {
        let x = channels.map(|channel| pixel.get(channel).copied().unwrap_or_default());
        let dx = meeting.four(x, channels);
        for (channel, (x, dx)) in channels.into_iter().zip(x.into_iter().zip(dx)) {
            if (all || x != 0.0)
                && let Some(place) = pixel.get_mut(channel)
            {
                *place = finish(x, dx);
            }
        }
    };
    let (mut open, mut count) = ([0; 4], 0);
    let (mut closed, mut closed_count) = ([0; 4], 0);
    for channel in 0..pixel.len() {
        let is_open = all || pixel.get(channel).is_some_and(|x| *x != 0.0);
        let (channels, count) = if is_open { (&mut open, &mut count) } else { (&mut closed, &mut closed_count) };
        if let Some(place) = channels.get_mut(*count) {
            *place = channel;
            *count += 1;
        }
        if is_open && *count == 4 {
            *count = 0;
            four(pixel, open);
        }
    }
    // An input of zero adds zeros to its gradients: closed channels fill up the last four.
    if count > 0 && count + closed_count >= 4 {
        open.iter_mut().skip(count).zip(closed).for_each(|(place, channel)| *place = channel);
        count = 0;
        four(pixel, open);
    }
    for channel in open.into_iter().take(count) {
        if let Some(place) = pixel.get_mut(channel) {
            *place = finish(*place, meeting.one(*place, channel));
        }
    }
}

impl Meeting {
    /// Whether all of it lies within so many weights and elements of dL/dy, for each of so many channels.
    pub(crate) fn fits(&self, channels: usize, weight: usize, dy: usize) -> bool {
        let last = |row: usize, column: usize| {
            let row = self.rows.saturating_sub(1).saturating_mul(row);
            row.saturating_add(self.columns.saturating_sub(1).saturating_mul(column))
        };
        let weight_end =
            last(self.weight_row, self.weight_column).saturating_add(channels.saturating_mul(self.outputs));
        weight_end <= weight
            && self.dy_first.saturating_add(self.outputs) <= dy
            && last(self.dy_row, self.dy_column) <= self.dy_first
    }
}
