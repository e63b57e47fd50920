//! Safetensors files: PyTorch's `save_file(model.state_dict(), ..)`, or the weights of a Keras model.
//!
//! A file has names and arrays, not the network, so that comes as a [line](crate::network::line). Tensors are found by their shapes and the
//! last part of their names (`weight`, `bias`, `weight_ih_l0`, ..); which of several layers of one shape is which follows from the numbers in
//! the names (`0.weight`, `fc1.weight`, `dense_1/kernel`).
//!
//! | layer | PyTorch | Keras |
//! |---|---|---|
//! | dense | `weight` `[out][in]`, behind a flatten with channels first; `bias` | `kernel` `[in][out]` |
//! | convolution | `weight` OIW, OIHW | `kernel` `[k][in][out]`, `[kh][kw][in][out]` |
//! | depthwise | `weight` `[C][1][k]`, `[C][1][kh][kw]` | `kernel` `[k][C][1]`, `[kh][kw][C][1]` |
//! | batch normalisation | `weight`, `bias`, `running_mean`, `running_var` | `gamma`, `beta`, `moving_mean`, `moving_variance` |
//! | layer normalisation | `weight`, `bias` | `gamma`, `beta` |
//! | recurrent | `weight_ih_l0` `[G H][C]`, `weight_hh_l0` `[G H][H]`, `bias_ih_l0`, `bias_hh_l0` | `kernel` `[C][G H]`, `recurrent_kernel` `[H][G H]`, `bias` |

use std::borrow::Cow;
use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors, View};

use super::assign::{Wanted, assign, groups, is_not_needed};
use super::naming::{Framework, places};
use super::tensor::{Number, Tensor};
use super::{Imported, Model, Problems, Row, torch};
use crate::network::Network;

/// Where a file that was written here says which network it is of.
const NETWORK: &str = "network";

/// The network's line in a file that [`write()`] has made.
#[must_use]
pub fn network_of(bytes: &[u8]) -> Option<Network> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).ok()?;
    Network::from_line(metadata.metadata().as_ref()?.get(NETWORK)?).ok()
}

/// Reads the values of a network.
///
/// `names` says what the tensors of each layer with parameters are called before the dot, where the file leaves that open.
///
/// # Errors
/// All that does not fit: missing, wrong and superfluous tensors, types and numbers that no learner takes, or a damaged file.
pub fn read(
    bytes: &[u8],
    network: &Network,
    framework: Framework,
    names: Option<&[String]>,
) -> Result<Imported, Problems> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("no whole safetensors file: {error}"))?;
    let (mut problems, mut notes) = (Problems::default(), Vec::new());
    let mut tensors = Vec::new();
    let mut all: Vec<_> = file.iter().collect();
    all.sort_by(|a, b| a.0.cmp(b.0));
    for (name, view) in all {
        if is_not_needed(name) {
            notes.push(format!("{name} is not needed and was left out"));
            continue;
        }
        let number = match view.dtype() {
            Dtype::F32 => Number::F32,
            Dtype::F16 => Number::F16,
            Dtype::BF16 => Number::Bf16,
            Dtype::F64 => Number::F64,
            other => {
                problems.add(format!("{name}: numbers of type {other:?}; expected F32, F16, BF16 or F64"));
                continue;
            }
        };
        notes.extend(number.note().map(str::to_string).filter(|note| !notes.contains(note)));
        let values = number.decode(view.data()).unwrap_or_default();
        tensors.push(Tensor { name: name.into(), shape: view.shape().to_vec(), values });
    }

    let nodes = network.nodes();
    let (layers, wanted): (Vec<_>, Vec<_>) = nodes
        .iter()
        .zip(places(&nodes))
        .filter_map(|(node, place)| {
            let entries = framework.entries(&place);
            (!entries.is_empty()).then_some(((node, place), Wanted { title: node.title(), entries }))
        })
        .unzip();
    let found = match assign(&wanted, &groups(tensors.iter().map(|tensor| tensor.name.as_str())), &tensors, names) {
        Ok(found) => found,
        Err(more) => {
            more.0.into_iter().for_each(|problem| problems.add(problem));
            return Err(problems);
        }
    };
    problems.or(())?;

    let (mut values, mut rows) = (Vec::new(), Vec::new());
    for (((node, place), wanted), found) in layers.iter().zip(&wanted).zip(&found) {
        let arrays: Vec<_> = found.iter().map(|tensor| &tensors[*tensor].values[..]).collect();
        values.extend(framework.read(place, &wanted.entries, &arrays));
        let parameters = node.parameters();
        rows.extend(wanted.entries.iter().zip(found).map(|(entry, tensor)| Row {
            layer: place.stage.layer.to_string(),
            parameter: parameters[entry.parameter].name.clone(),
            axes: parameters[entry.parameter].axes.clone(),
            tensor: tensors[*tensor].name.clone(),
            shape: tensors[*tensor].shape.clone(),
        }));
    }
    Ok(Imported { model: Model::new(network.clone(), values)?, rows, notes })
}

/// A file with PyTorch's names and layouts: the `state_dict` of the module that [`torch::module`] writes.
///
/// # Errors
/// A network that the file cannot hold.
pub fn write(model: &Model) -> Result<(Vec<u8>, Vec<Row>), Problems> {
    let network = &model.network;
    let (mut tensors, mut rows) = (Vec::new(), Vec::new());
    let (nodes, names) = (network.nodes(), torch::names(network));
    for (((node, place), arrays), prefix) in nodes.iter().zip(places(&nodes)).zip(model.nodes()).zip(names) {
        let entries = Framework::PyTorch.entries(&place);
        let parameters = node.parameters();
        let values = Framework::PyTorch.write(&place, &entries, arrays);
        for (entry, values) in entries.into_iter().zip(values) {
            let name = format!("{prefix}.{}", entry.leaves[0]);
            rows.push(Row {
                layer: place.stage.layer.to_string(),
                parameter: parameters[entry.parameter].name.clone(),
                axes: parameters[entry.parameter].axes.clone(),
                tensor: name.clone(),
                shape: entry.shape.clone(),
            });
            tensors.push((name, Floats { shape: entry.shape, values }));
        }
    }
    let metadata = HashMap::from([(NETWORK.to_string(), network.to_string())]);
    let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|error| error.to_string())?;
    Ok((bytes, rows))
}

/// An array to be written.
struct Floats {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl View for Floats {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>().into()
    }

    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}
