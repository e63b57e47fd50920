//! Which tensors of a file belong to which layer of a network.

use super::Problems;
use super::naming::Entry;
use super::tensor::{Tensor, shape_text};

/// Tensors that frameworks keep beside a layer's arrays, and that no prediction needs.
const NOT_NEEDED: [&str; 2] = ["num_batches_tracked", "seed_generator_state"];

/// A layer that wants tensors.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// How it is called in messages: `layer 3, dense(10)`.
    pub(crate) title: String,
    pub(crate) entries: Vec<Entry>,
}

/// Tensors whose names differ in the last part only.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    /// The last part of each name, and which tensor it is.
    tensors: Vec<(String, usize)>,
}

/// The groups of these names, numbers in them in the order of numbers.
pub(crate) fn groups<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let (group, leaf) = split(name);
        match groups.iter_mut().find(|known| known.name == group) {
            Some(known) => known.tensors.push((leaf, index)),
            None => groups.push(Group { name: group, tensors: vec![(leaf, index)] }),
        }
    }
    groups.sort_by_cached_key(|group| natural(&group.name));
    groups
}

/// Whether this tensor is none that a layer learns.
pub(crate) fn is_not_needed(name: &str) -> bool {
    NOT_NEEDED.contains(&split(name).1.as_str())
}

/// The name of a layer and what behind it says which of its arrays it is. Layers of PyTorch's stacked recurrent ones are layers.
fn split(name: &str) -> (String, String) {
    let name = name.strip_suffix(":0").unwrap_or(name);
    let (group, leaf) = name.rsplit_once(['.', '/']).unwrap_or(("", name));
    match leaf.rsplit_once("_l") {
        Some((stem, number)) if number != "0" && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => {
            (format!("{group} (layer {number})"), format!("{stem}_l0"))
        }
        _ => (group.into(), leaf.into()),
    }
}

/// By which names are sorted so that 10 comes behind 9.
fn natural(name: &str) -> Vec<(String, u64)> {
    let (mut parts, mut text, mut number) = (Vec::new(), String::new(), None::<u64>);
    for character in name.chars() {
        match character.to_digit(10) {
            Some(digit) => number = Some(number.unwrap_or(0).saturating_mul(10).saturating_add(digit.into())),
            None => {
                if let Some(number) = number.take() {
                    parts.push((std::mem::take(&mut text), number));
                }
                text.push(character);
            }
        }
    }
    parts.push((text, number.unwrap_or(0)));
    parts
}

/// A name without its numbers: `fc1` and `fc2` differ in nothing else, nor do `dense` and `dense_1`.
fn stem(name: &str) -> String {
    let parts = name.split(['.', '/']).map(|part| part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_'));
    parts.collect::<Vec<_>>().join(".").replace(|c: char| c.is_ascii_digit(), "")
}

impl Group {
    fn find(&self, entry: &Entry) -> Option<usize> {
        self.tensors.iter().find(|(leaf, _)| entry.leaves.contains(&leaf.as_str())).map(|(_, index)| *index)
    }

    fn extra<'a>(&'a self, wanted: &'a Wanted) -> impl Iterator<Item = usize> + 'a {
        let is_known = |leaf: &str| wanted.entries.iter().any(|entry| entry.leaves.contains(&leaf));
        self.tensors.iter().filter(move |(leaf, _)| !is_known(leaf)).map(|(_, index)| *index)
    }

    fn fits(&self, wanted: &Wanted, tensors: &[Tensor]) -> bool {
        let has = |entry: &Entry| self.find(entry).is_some_and(|index| tensors[index].shape == entry.shape);
        wanted.entries.iter().all(has) && self.extra(wanted).next().is_none()
    }
}

/// For each layer, the tensors of its entries. `names` are those of the groups, layer by layer, if a person has said so.
pub(crate) fn assign(
    wanted: &[Wanted],
    groups: &[Group],
    tensors: &[Tensor],
    names: Option<&[String]>,
) -> Result<Vec<Vec<usize>>, Problems> {
    let mut problems = Problems::default();
    let chosen = match names {
        Some(names) => by_name(wanted, groups, names, &mut problems),
        None => by_shape(wanted, groups, tensors, &mut problems),
    };
    let unused = |index: &usize| !chosen.contains(&Some(*index));
    let left: Vec<_> = (0..groups.len()).filter(unused).collect();
    let missing: Vec<_> = (0..wanted.len()).filter(|layer| chosen[*layer].is_none()).collect();
    // As many of the one as of the other: each is most likely meant for the other, and the shapes are wrong.
    let pairs = left.len() == missing.len() && names.is_none();
    for (layer, group) in missing.iter().zip(&left).filter(|_| pairs) {
        compare(&wanted[*layer], &groups[*group], tensors, &mut problems);
    }
    for layer in missing.iter().filter(|_| !pairs) {
        let Wanted { title, entries } = &wanted[*layer];
        let needed = entries.iter().map(|entry| format!("{} {}", entry.leaves[0], shape_text(&entry.shape)));
        problems.add(format!("{title}: no tensors for it: {}", needed.collect::<Vec<_>>().join(", ")));
    }
    for tensor in left.iter().filter(|_| !pairs).flat_map(|group| &groups[*group].tensors) {
        let Tensor { name, shape, .. } = &tensors[tensor.1];
        problems.add(format!("{name} {}: no layer of the network has it", shape_text(shape)));
    }
    let mut found = Vec::new();
    for (wanted, group) in wanted.iter().zip(&chosen) {
        let Some(group) = group.map(|group| &groups[group]) else { continue };
        if !group.fits(wanted, tensors) {
            compare(wanted, group, tensors, &mut problems);
        }
        found.push(wanted.entries.iter().filter_map(|entry| group.find(entry)).collect());
    }
    problems.or(found)
}

fn by_name(wanted: &[Wanted], groups: &[Group], names: &[String], problems: &mut Problems) -> Vec<Option<usize>> {
    if names.len() != wanted.len() {
        let titles: Vec<_> = wanted.iter().map(|wanted| wanted.title.as_str()).collect();
        let (names, layers) = (names.len(), wanted.len());
        problems.add(format!("{names} names for {layers} layers with parameters: {}", titles.join("; ")));
    }
    let find = |name: &String| {
        let found = groups.iter().position(|group| group.name == *name);
        if found.is_none() {
            let known: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
            problems.add(format!("no tensors are called `{name}.…`; there are: {}", known.join(", ")));
        }
        found
    };
    let mut chosen: Vec<_> = names.iter().map(find).collect();
    chosen.resize(wanted.len(), None);
    chosen
}

/// Layers that want the same shapes take the groups that have them, in the order of their numbers.
fn by_shape(wanted: &[Wanted], groups: &[Group], tensors: &[Tensor], problems: &mut Problems) -> Vec<Option<usize>> {
    let mut chosen = vec![None; wanted.len()];
    for (layer, want) in wanted.iter().enumerate() {
        if chosen[layer].is_some() {
            continue;
        }
        let fitting: Vec<_> = (0..groups.len()).filter(|group| groups[*group].fits(want, tensors)).collect();
        let Some(first) = fitting.first() else { continue };
        let alike: Vec<_> =
            (layer..wanted.len()).filter(|other| groups[*first].fits(&wanted[*other], tensors)).collect();
        let same_stem = fitting.windows(2).all(|pair| stem(&groups[pair[0]].name) == stem(&groups[pair[1]].name));
        if fitting.len() > 1 && alike.len() > 1 && !same_stem {
            let names: Vec<_> = fitting.iter().map(|group| groups[*group].name.as_str()).collect();
            let titles: Vec<_> = alike.iter().map(|layer| wanted[*layer].title.as_str()).collect();
            problems.add(format!(
                "{} have the same shapes, so it is open which is {}: give the names in the order of the layers with --names",
                names.join(", "),
                titles.join(" and which ")
            ));
        }
        for (layer, group) in alike.iter().zip(&fitting) {
            chosen[*layer] = Some(*group);
        }
    }
    chosen
}

/// Says how a group differs from what a layer wants.
fn compare(wanted: &Wanted, group: &Group, tensors: &[Tensor], problems: &mut Problems) {
    let title = &wanted.title;
    let prefix = if group.name.is_empty() { String::new() } else { format!("{}.", group.name) };
    for entry in &wanted.entries {
        let expected = shape_text(&entry.shape);
        match group.find(entry).map(|index| &tensors[index]) {
            None => {
                let hint = if entry.leaves[0].starts_with("bias") { " (if there is no bias, say bias=no)" } else { "" };
                let leaf = entry.leaves[0];
                problems.add(format!("{prefix}{leaf} is missing: {title} needs it, of shape {expected}{hint}"));
            }
            Some(tensor) if tensor.shape != entry.shape => {
                let is_turned = tensor.shape.iter().rev().eq(&entry.shape) && tensor.shape.len() > 1;
                let hint = if is_turned { "; it is transposed: choose the other --layout" } else { "" };
                let (name, shape) = (&tensor.name, shape_text(&tensor.shape));
                problems.add(format!("{name} has shape {shape}, but {title} needs {expected}{hint}"));
            }
            Some(_) => {}
        }
    }
    for index in group.extra(wanted) {
        let Tensor { name, shape, .. } = &tensors[index];
        problems.add(format!("{name} {}: {title} has no such array", shape_text(shape)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_by_their_numbers() {
        let names =
            ["fc10.bias", "fc2.weight", "fc10.weight", "a/dense_1/kernel:0", "a/dense/kernel:0", "rnn.weight_ih_l1"];
        let groups = groups(names);
        let names: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["a/dense", "a/dense_1", "fc2", "fc10", "rnn (layer 1)"]);
        assert_eq!(groups[0].tensors[0].0, "kernel");
        assert_eq!(groups[4].tensors[0].0, "weight_ih_l0");
        assert_eq!(stem("a/dense_1"), stem("a/dense"));
        assert_ne!(stem("encoder.0"), stem("decoder.0"));
        assert!(is_not_needed("1.num_batches_tracked") && !is_not_needed("1.weight"));
    }
}
