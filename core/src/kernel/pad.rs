//! Where an image lies within a larger one.

/// Calls `visit` for each pixel of the image that lies within the larger one: where it begins there, in the smaller and in
/// the larger. An axis has the smaller's size and the larger's; `before` is how much of the larger lies before the smaller.
pub(crate) fn inside(
    rows: (usize, usize),
    columns: (usize, usize),
    channels: usize,
    before: (usize, usize),
    mut visit: impl FnMut(usize, usize),
) {
    for row in 0..rows.0.min(rows.1.saturating_sub(before.0)) {
        for column in 0..columns.0.min(columns.1.saturating_sub(before.1)) {
            let small = (row * columns.0 + column) * channels;
            let large = ((row + before.0) * columns.1 + column + before.1) * channels;
            visit(small, large);
        }
    }
}

/// Calls `visit` for each pixel of the image that does not lie within the larger one, because `before` puts it beyond: where it
/// begins in the smaller.
pub(crate) fn outside(
    rows: (usize, usize),
    columns: (usize, usize),
    channels: usize,
    before: (usize, usize),
    mut visit: impl FnMut(usize),
) {
    let (bottom, right) = (rows.1.saturating_sub(before.0), columns.1.saturating_sub(before.1));
    for row in 0..rows.0 {
        for column in 0..columns.0 {
            if row >= bottom || column >= right {
                visit((row * columns.0 + column) * channels);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn every_pixel_is_inside_or_outside() {
        let (rows, columns, channels) = ((3, 4), (2, 3), 5);
        for before in [(0, 0), (1, 1), (2, 0), (0, 2), (3, 2), (9, 0), (0, 9)] {
            let mut seen = Vec::new();
            inside(rows, columns, channels, before, |small, large| {
                let pixel = small / channels;
                assert_eq!(large / channels, (pixel / columns.0 + before.0) * columns.1 + pixel % columns.0 + before.1);
                assert!(large / channels < rows.1 * columns.1);
                seen.push(small);
            });
            outside(rows, columns, channels, before, |small| seen.push(small));
            seen.sort_unstable();
            assert_eq!(seen, [0, 5, 10, 15, 20, 25], "{before:?}");
        }
    }
}
