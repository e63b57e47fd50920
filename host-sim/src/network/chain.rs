//! Layers one after another: the shapes between them, and what the learner needs between them beside.

use super::{Layer, NetworkError, Shape};

/// How deep residual connections may lie within one another.
pub(crate) const DEEPEST: usize = 8;

/// A layer with the shapes on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// The layer.
    pub layer: Layer,
    /// What it takes.
    pub input: Shape,
    /// What it gives.
    pub output: Shape,
}

impl Stage {
    /// The layer behind an input; in a residual connection with what its parts need beside.
    ///
    /// # Errors
    /// Why it does not take this input.
    pub(crate) fn new(layer: Layer, input: &Shape) -> Result<Self, String> {
        let (layer, output) = match layer {
            Layer::Residual { branch, projection } => residual(input, branch, projection)?,
            // One slope is that of the one channel.
            Layer::PRelu { .. } if input.channels() == 1 => (Layer::PRelu { shared: false }, input.clone()),
            layer => {
                let output = layer.output(input)?;
                (layer, output)
            }
        };
        Ok(Self { layer, input: input.clone(), output })
    }

    /// The branch and the projection of a residual connection; of another layer there are none.
    pub(crate) fn parts(&self) -> [Vec<Self>; 2] {
        let Layer::Residual { branch, projection } = &self.layer else { return [const { Vec::new() }; 2] };
        // They fit: this is where the stage was made from.
        [branch, projection].map(|layers| stages(&self.input, layers.clone()).unwrap_or_default())
    }
}

/// The stages of these layers. A vector is made of what comes before a dense layer, where it is none.
pub(crate) fn stages(input: &Shape, layers: impl IntoIterator<Item = Layer>) -> Result<Vec<Stage>, NetworkError> {
    let mut stages: Vec<Stage> = Vec::new();
    for (index, layer) in layers.into_iter().enumerate() {
        let error = |layer: &str| {
            let layer = layer.to_string();
            move |problem| NetworkError { number: index + 1, layer, problem }
        };
        let last = output(input, &stages).clone();
        if matches!(layer, Layer::Dense { .. }) && last.axes().len() > 1 {
            stages.push(Stage::new(Layer::Flatten, &last).map_err(error("flatten"))?);
        }
        let last = output(input, &stages).clone();
        let name = layer.to_string();
        stages.push(Stage::new(layer, &last).map_err(error(&name))?);
    }
    Ok(stages)
}

/// What the last stage gives.
pub(crate) fn output<'a>(input: &'a Shape, stages: &'a [Stage]) -> &'a Shape {
    stages.last().map_or(input, |stage| &stage.output)
}

/// A copy belongs to the ends of a branch alone.
pub(crate) fn refuse_keep(stages: &[Stage]) -> Result<(), String> {
    let help = "the learner needs it only at the beginning and the end of a residual connection's branch, and there it is put by itself";
    let has_some = stages.iter().any(|stage| stage.layer == Layer::Keep);
    if has_some { Err(format!("leave keep out: {help}")) } else { Ok(()) }
}

/// A residual connection as the learner takes it, and what it gives.
fn residual(input: &Shape, branch: Vec<Layer>, projection: Vec<Layer>) -> Result<(Layer, Shape), String> {
    let mut branch = stages(input, branch).map_err(|error| format!("in its branch, {error}"))?;
    let projection = stages(input, projection).map_err(|error| format!("in its projection, {error}"))?;
    if branch.iter().all(|stage| stage.layer == Layer::Keep) {
        return Err(
            "it has no branch: say which layers' output is added, such as residual(dense(8) relu dense(8))".into()
        );
    }
    let given = output(input, &branch).clone();
    let added = output(input, &projection);
    if given != *added {
        let what = if projection.is_empty() { "its input is" } else { "its projection gives" };
        let help = if projection.is_empty() { "; put a projection behind a |, such as | conv2d(16,1,2)" } else { "" };
        return Err(format!("its branch gives {given}, but {what} {added}: both must be the same{help}"));
    }
    if let Some(first) = projection.first().filter(|first| !first.layer.is_linear()) {
        return Err(format!(
            "its projection begins with {}: it must begin with dense, conv1d, conv2d or depthwise",
            first.layer
        ));
    }
    refuse_keep(&projection)?;
    keep_ends(input, &mut branch)?;
    let layers = |stages: Vec<Stage>| stages.into_iter().map(|stage| stage.layer).collect();
    Ok((Layer::Residual { branch: layers(branch), projection: layers(projection) }, given))
}

/// Puts a copy before a first layer that changes its input, and behind a last one whose output is not its own.
fn keep_ends(input: &Shape, branch: &mut Vec<Stage>) -> Result<(), String> {
    let copy = |shape: &Shape| Stage { layer: Layer::Keep, input: shape.clone(), output: shape.clone() };
    let is = |stage: Option<&Stage>, is: fn(&Layer) -> bool| stage.is_some_and(|stage| is(&stage.layer));
    // Those that stand there already are put anew.
    if is(branch.first(), |layer| *layer == Layer::Keep) && is(branch.get(1), |layer| !layer.keeps_input()) {
        branch.remove(0);
    }
    let last_but_one = branch.len().checked_sub(2).and_then(|at| branch.get(at));
    if is(branch.last(), |layer| *layer == Layer::Keep) && is(last_but_one, |layer| !layer.keeps_output_gradient()) {
        branch.pop();
    }
    refuse_keep(branch)?;
    let output = output(input, branch).clone();
    if is(branch.first(), |layer| !layer.keeps_input()) {
        branch.insert(0, copy(input));
    }
    if is(branch.last(), |layer| !layer.keeps_output_gradient()) {
        branch.push(copy(&output));
    }
    Ok(())
}
