//! Operators on constants: exporters transpose, cut and join weights, and compute shapes.

use super::constant::{Constant, Data};
use super::graph::Node;

/// The value of a node whose inputs are all known; `None` if it is no operator for that, or something does not fit.
pub(crate) fn fold(node: &Node, inputs: &[Option<&Constant>]) -> Option<Constant> {
    let input = |index: usize| inputs.get(index).copied().flatten();
    let first = || input(0);
    let ints = |index: usize, name: &str| -> Option<Vec<i64>> {
        input(index).and_then(Constant::as_ints).or(node.ints(name)).map(<[i64]>::to_vec)
    };
    match node.op.as_str() {
        "Constant" => constant(node),
        "Identity" => first().cloned(),
        "Cast" => cast(first()?, node.int("to", 0)),
        "Shape" => Some(Constant::ints(first()?.shape.iter().map(|length| *length as i64).collect())),
        "Reshape" => reshape(first()?, input(1)?.as_ints()?),
        "Squeeze" => squeeze(first()?, ints(1, "axes").as_deref()),
        "Unsqueeze" => unsqueeze(first()?, &ints(1, "axes")?),
        "Transpose" => transpose(first()?, node.ints("perm")),
        "Concat" => concat(&inputs.iter().copied().collect::<Option<Vec<_>>>()?, node.int("axis", 0)),
        "Gather" => gather(first()?, input(1)?, node.int("axis", 0)),
        "Slice" => {
            let rank = first()?.shape.len() as i64;
            let axes = ints(3, "axes").unwrap_or_else(|| (0..rank).collect());
            slice(first()?, &ints(1, "starts")?, &ints(2, "ends")?, &axes, input(4).map(|steps| steps.as_ints()))
        }
        "ConstantOfShape" => {
            let shape = lengths(first()?.as_ints()?)?;
            let count = count(&shape)?;
            match node.tensor("value") {
                None => Some(Constant::floats(shape, vec![0.0; count])),
                Some(value) => match value.data {
                    Data::Floats(values) => Some(Constant::floats(shape, vec![*values.first()?; count])),
                    Data::Ints(values) => Some(Constant { shape, data: Data::Ints(vec![*values.first()?; count]) }),
                },
            }
        }
        "Expand" => {
            // Of equal numbers, as those of a state that begins with zeros.
            let (value, target) = (first()?, lengths(input(1)?.as_ints()?)?);
            let values = value.as_floats()?;
            let number = *values.first().filter(|first| values.iter().all(|value| value == *first))?;
            let length = |from_end: usize| {
                let of = |shape: &[usize]| shape.len().checked_sub(from_end).map_or(1, |at| shape[at]);
                match (of(&value.shape), of(&target)) {
                    (one, other) if one == other || other == 1 => Some(one),
                    (1, other) => Some(other),
                    _ => None,
                }
            };
            let shape: Vec<_> = (1..=value.shape.len().max(target.len())).rev().map(length).collect::<Option<_>>()?;
            let count = count(&shape)?;
            Some(Constant::floats(shape, vec![number; count]))
        }
        _ => None,
    }
}

/// More would not be a constant of a network for a microcontroller.
const LARGEST: usize = 1 << 24;

fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |count, length| count.checked_mul(*length)).filter(|count| *count <= LARGEST)
}

fn lengths(shape: &[i64]) -> Option<Vec<usize>> {
    shape.iter().map(|length| usize::try_from(*length).ok()).collect()
}

/// An axis that may be counted from the end.
pub(crate) fn axis(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
    usize::try_from(axis).ok().filter(|axis| *axis < rank)
}

fn constant(node: &Node) -> Option<Constant> {
    if let Some(value) = node.tensor("value") {
        return Some(value);
    }
    if let Some(value) = node.float("value_float") {
        return Some(Constant::floats(vec![], vec![value]));
    }
    if let Some(values) = node.floats("value_floats") {
        return Some(Constant::floats(vec![values.len()], values.to_vec()));
    }
    if let Some(values) = node.ints("value_ints") {
        return Some(Constant::ints(values.to_vec()));
    }
    node.maybe_int("value_int").map(|value| Constant { shape: vec![], data: Data::Ints(vec![value]) })
}

fn cast(value: &Constant, to: i64) -> Option<Constant> {
    let shape = value.shape.clone();
    let data = match (&value.data, to) {
        (Data::Floats(values), 1 | 10 | 11 | 16) => Data::Floats(values.clone()),
        (Data::Ints(values), 6 | 7) => Data::Ints(values.clone()),
        (Data::Ints(values), 1 | 10 | 11 | 16) => Data::Floats(values.iter().map(|value| *value as f32).collect()),
        _ => return None,
    };
    Some(Constant { shape, data })
}

/// A shape with one length that follows (-1) and others that stay (0).
pub(crate) fn resolve(shape: &[usize], target: &[i64]) -> Option<Vec<usize>> {
    let total = count(shape)?;
    let mut lengths = Vec::new();
    for (index, length) in target.iter().enumerate() {
        lengths.push(match length {
            0 => *shape.get(index)?,
            -1 => 1,
            length => usize::try_from(*length).ok()?,
        });
    }
    if target.iter().filter(|length| **length == -1).count() > 1 {
        return None;
    }
    if let Some(open) = target.iter().position(|length| *length == -1) {
        lengths[open] = total.checked_div(count(&lengths)?)?;
    }
    (count(&lengths)? == total).then_some(lengths)
}

fn reshape(value: &Constant, target: &[i64]) -> Option<Constant> {
    Some(Constant { shape: resolve(&value.shape, target)?, data: value.data.clone() })
}

fn squeeze(value: &Constant, axes: Option<&[i64]>) -> Option<Constant> {
    let rank = value.shape.len();
    let squeezed = match axes {
        Some(axes) => axes.iter().map(|at| axis(*at, rank)).collect::<Option<Vec<_>>>()?,
        None => (0..rank).filter(|at| value.shape[*at] == 1).collect(),
    };
    if squeezed.iter().any(|at| value.shape[*at] != 1) {
        return None;
    }
    let shape = value.shape.iter().enumerate().filter(|(at, _)| !squeezed.contains(at)).map(|(_, length)| *length);
    Some(Constant { shape: shape.collect(), data: value.data.clone() })
}

fn unsqueeze(value: &Constant, axes: &[i64]) -> Option<Constant> {
    let rank = value.shape.len() + axes.len();
    let mut places: Vec<_> = axes.iter().map(|at| axis(*at, rank)).collect::<Option<_>>()?;
    places.sort_unstable();
    let mut shape = value.shape.clone();
    for place in places {
        if place > shape.len() {
            return None;
        }
        shape.insert(place, 1);
    }
    Some(Constant { shape, data: value.data.clone() })
}

/// The elements at these places.
fn pick(data: &Data, places: &[usize]) -> Option<Data> {
    fn of<T: Copy>(values: &[T], places: &[usize]) -> Option<Vec<T>> {
        places.iter().map(|place| values.get(*place).copied()).collect()
    }
    match data {
        Data::Floats(values) => of(values, places).map(Data::Floats),
        Data::Ints(values) => of(values, places).map(Data::Ints),
    }
}

/// The places of an array's elements when its axes are gone over in this order, each at these indices.
fn places(shape: &[usize], order: &[usize], indices: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut places = vec![0];
    for at in order {
        let stride: usize = shape.get(at + 1..)?.iter().product();
        let steps: Vec<_> = indices.get(*at)?.iter().map(|index| index * stride).collect();
        if places.len().checked_mul(steps.len())? > LARGEST {
            return None;
        }
        places = places.iter().flat_map(|place| steps.iter().map(move |step| place + step)).collect();
    }
    Some(places)
}

fn whole(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().map(|length| (0..*length).collect()).collect()
}

/// The order of a permutation of so many axes: reversed, if it is not said.
pub(crate) fn permutation(rank: usize, order: Option<&[i64]>) -> Option<Vec<usize>> {
    let Some(order) = order else { return Some((0..rank).rev().collect()) };
    let order: Vec<_> = order.iter().map(|at| axis(*at, rank)).collect::<Option<_>>()?;
    let is_whole = order.len() == rank && (0..rank).all(|at| order.contains(&at));
    is_whole.then_some(order)
}

fn transpose(value: &Constant, order: Option<&[i64]>) -> Option<Constant> {
    let order = permutation(value.shape.len(), order)?;
    count(&value.shape)?;
    let data = pick(&value.data, &places(&value.shape, &order, &whole(&value.shape))?)?;
    Some(Constant { shape: order.iter().map(|at| value.shape[*at]).collect(), data })
}

fn concat(values: &[&Constant], at: i64) -> Option<Constant> {
    let (first, rank) = (values.first()?, values.first()?.shape.len());
    let at = axis(at, rank)?;
    let fits = |value: &&Constant| {
        value.shape.len() == rank && (0..rank).all(|other| other == at || value.shape[other] == first.shape[other])
    };
    if !values.iter().all(fits) {
        return None;
    }
    let mut shape = first.shape.clone();
    shape[at] = values.iter().map(|value| value.shape[at]).sum();
    let outer = count(&shape[..at])?;
    fn join<T: Copy>(parts: &[(&[T], usize)], outer: usize) -> Option<Vec<T>> {
        let rows =
            (0..outer).map(|row| parts.iter().map(move |(values, size)| values.get(row * size..(row + 1) * size)));
        rows.flatten().collect::<Option<Vec<_>>>().map(|rows| rows.concat())
    }
    let size = |value: &Constant| value.shape[at..].iter().product::<usize>();
    let floats: Option<Vec<_>> = values.iter().map(|value| Some((value.as_floats()?, size(value)))).collect();
    let ints: Option<Vec<_>> = values.iter().map(|value| Some((value.as_ints()?, size(value)))).collect();
    let data = match (floats, ints) {
        (Some(parts), _) => Data::Floats(join(&parts, outer)?),
        (_, Some(parts)) => Data::Ints(join(&parts, outer)?),
        _ => return None,
    };
    Some(Constant { shape, data })
}

fn gather(value: &Constant, indices: &Constant, at: i64) -> Option<Constant> {
    let at = axis(at, value.shape.len())?;
    let length = value.shape[at];
    let chosen: Vec<_> = indices.as_ints()?.iter().map(|index| axis(*index, length)).collect::<Option<_>>()?;
    let mut all = whole(&value.shape);
    all[at] = chosen;
    let order: Vec<_> = (0..value.shape.len()).collect();
    let data = pick(&value.data, &places(&value.shape, &order, &all)?)?;
    let shape = [&value.shape[..at], &indices.shape, &value.shape[at + 1..]].concat();
    Some(Constant { shape, data })
}

fn slice(
    value: &Constant,
    starts: &[i64],
    ends: &[i64],
    axes: &[i64],
    steps: Option<Option<&[i64]>>,
) -> Option<Constant> {
    if steps.is_some_and(|steps| steps.is_none_or(|steps| steps.iter().any(|step| *step != 1))) {
        return None;
    }
    let mut all = whole(&value.shape);
    for ((start, end), at) in starts.iter().zip(ends).zip(axes) {
        let at = axis(*at, value.shape.len())?;
        let (from, to) = range(value.shape[at], *start, *end);
        all[at] = (from..to.max(from)).collect();
    }
    let order: Vec<_> = (0..value.shape.len()).collect();
    let data = pick(&value.data, &places(&value.shape, &order, &all)?)?;
    Some(Constant { shape: all.iter().map(Vec::len).collect(), data })
}

/// The range of a slice of an axis, both ends counted from its end where they are negative.
pub(crate) fn range(length: usize, start: i64, end: i64) -> (usize, usize) {
    let place = |at: i64| {
        let at = if at < 0 { at.saturating_add(length as i64) } else { at };
        usize::try_from(at.max(0)).unwrap_or(usize::MAX).min(length)
    };
    (place(start), place(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_cut_joined_and_turned() {
        let value = Constant::floats(vec![2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let turned = transpose(&value, None).unwrap();
        assert_eq!(
            (&turned.shape[..], turned.as_floats().unwrap()),
            (&[3, 2][..], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0][..])
        );
        let cut = slice(&value, &[1], &[i64::MAX], &[-1], None).unwrap();
        assert_eq!(cut.as_floats().unwrap(), [1.0, 2.0, 4.0, 5.0]);
        let joined = concat(&[&cut, &value], 1).unwrap();
        assert_eq!(joined.shape, [2, 5]);
        assert_eq!(joined.as_floats().unwrap()[..6], [1.0, 2.0, 0.0, 1.0, 2.0, 4.0]);
        let row = gather(&value, &Constant { shape: vec![], data: Data::Ints(vec![-1]) }, 0).unwrap();
        assert_eq!((&row.shape[..], row.as_floats().unwrap()), (&[3][..], &[3.0, 4.0, 5.0][..]));
        assert_eq!(resolve(&[2, 3], &[0, -1, 1]), Some(vec![2, 3, 1]));
        assert_eq!(resolve(&[2, 3], &[4, -1]), None);
    }
}
