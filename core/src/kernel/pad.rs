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
