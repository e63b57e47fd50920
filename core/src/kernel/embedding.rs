//! Rows of a table, by their index.

/// The row's number, if `index` is one of `rows`.
fn row(index: f32, rows: usize) -> Option<usize> {
    let row = index as usize;
    (row as f32 == index && row < rows).then_some(row)
}

/// y[t] = weight[x[t]], rows of `width` elements; NaN for an index that is none.
pub(crate) fn forward(x: &[f32], weight: &[f32], y: &mut [f32], width: usize) {
    let width = width.max(1);
    for (x, y) in x.iter().zip(y.chunks_exact_mut(width)) {
        let values = row(*x, weight.len() / width).and_then(|row| weight.chunks_exact(width).nth(row));
        match values {
            Some(values) => y.iter_mut().zip(values).for_each(|(y, value)| *y = *value),
            None => y.fill(f32::NAN),
        }
    }
}

/// gradient[x[t]] += dy[t], t rising.
pub(crate) fn backward(x: &[f32], dy: &[f32], gradient: &mut [f32], width: usize) {
    let width = width.max(1);
    let rows = gradient.len() / width;
    for (x, dy) in x.iter().zip(dy.chunks_exact(width)) {
        if let Some(gradient) = row(*x, rows).and_then(|row| gradient.chunks_exact_mut(width).nth(row)) {
            gradient.iter_mut().zip(dy).for_each(|(gradient, dy)| *gradient += dy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_comes_twice_adds_up_and_one_that_is_none_changes_nothing() {
        let mut gradient = [1.0; 6];
        backward(&[2.0, 3.0, 0.5, 2.0, -1.0], &[1.0, 2.0, 9.0, 9.0, 9.0, 9.0, 4.0, 8.0, 9.0, 9.0], &mut gradient, 2);
        assert_eq!(gradient, [1.0, 1.0, 1.0, 1.0, 6.0, 11.0]);
    }
}
