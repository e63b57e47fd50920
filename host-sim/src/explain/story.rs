//! What there is to tell of a step, in order, for a terminal or a page.

use super::text::number;
use super::{Check, Explanation, ParameterStep, StageStep};
use crate::network::model::{Named, Target};

/// A chapter.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// What it says.
    pub blocks: Vec<Block>,
}

/// A part of a chapter.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// A heading within.
    Heading(String),
    /// Mathematics.
    Formula(String),
    /// A sentence.
    Note(String),
    /// Numbers: the first column names them.
    Table {
        /// What the columns are.
        header: Vec<String>,
        /// As many cells each as the header has.
        rows: Vec<Vec<String>>,
        /// How many rows were left out.
        skipped: usize,
    },
}

/// With so many terms at most, a sum is written out.
const MOST_TERMS: usize = 4;

impl Explanation {
    /// The step in five chapters; a table has at most `most` rows.
    #[must_use]
    pub fn story(&self, most: usize) -> Vec<Section> {
        vec![self.forward(most), self.loss_section(most), self.backward(most), self.update(most), self.result()]
    }

    fn forward(&self, most: usize) -> Section {
        let mut blocks = Vec::new();
        if let Some(first) = self.stages.first() {
            blocks.push(Block::Note("The sample:".into()));
            blocks.push(table(&["x"], &first.input_axes, "x", &[&first.x], most));
        }
        for stage in &self.stages {
            blocks.push(Block::Heading(heading(stage)));
            blocks.push(Block::Formula(stage.forward.into()));
            blocks.extend(sums(stage).into_iter().map(Block::Formula));
            blocks.extend(stage.between.iter().map(|named| named_table(named, most)));
            if stage.x.len() == stage.y.len() && stage.parameters.is_empty() {
                blocks.push(table(&["x", "y"], &stage.output_axes, "", &[&stage.x, &stage.y], most));
            } else {
                blocks.push(table(&["y"], &stage.output_axes, "y", &[&stage.y], most));
            }
        }
        Section { title: "1  Forward: each layer's output".into(), blocks }
    }

    fn loss_section(&self, most: usize) -> Section {
        let Some(last) = self.stages.last() else { return Section { title: String::new(), blocks: Vec::new() } };
        let count = last.y.len();
        let (formula, gradient) = match self.setup.loss {
            super::Loss::CrossEntropy => ("p = softmax(y);  L = -Σ_j t[j] ln p[j]", "dL/dy[j] = p[j] Σ t - t[j]"),
            super::Loss::MeanSquaredError => ("L = Σ_j (y[j] - t[j])² / n", "dL/dy[j] = 2 (y[j] - t[j]) / n"),
            super::Loss::BinaryCrossEntropy => {
                ("p = σ(y);  L = -Σ_j (t[j] ln p[j] + (1 - t[j]) ln(1 - p[j])) / n", "dL/dy[j] = (p[j] - t[j]) / n")
            }
        };
        let target: Vec<f64> = match &self.setup.target {
            Target::Class(class) => (0..count).map(|output| f64::from(u8::from(output == *class))).collect(),
            Target::Values(values) => values.clone(),
        };
        let mut columns: Vec<(&str, &[f64])> = vec![("y", &last.y)];
        columns.extend(self.probabilities.iter().map(|p| ("p", p.as_slice())));
        columns.extend([("target t", target.as_slice()), ("dL/dy", last.dy.as_slice())]);
        let (names, values): (Vec<&str>, Vec<&[f64]>) = columns.into_iter().unzip();
        let blocks = vec![
            Block::Formula(formula.into()),
            Block::Formula(format!("L = {}", number(self.loss))),
            Block::Note("How the loss changes with each output, where the way back begins:".into()),
            Block::Formula(gradient.into()),
            table(&names, &last.output_axes, "", &values, most),
        ];
        Section { title: format!("2  Loss: {}", self.setup.loss.name()), blocks }
    }

    fn backward(&self, most: usize) -> Section {
        let mut blocks = vec![Block::Note(
            "From the last layer to the first: dL/dy is given, dL/dw and dL/dx follow, and dL/dx is the dL/dy of the layer before. \
             Beside each gradient: what the loss does when that number alone is moved (finite difference), and the relative error."
                .into(),
        )];
        if self.stages.iter().any(|stage| stage.takes.len() > 1) {
            blocks.push(Block::Note(
                "Where a value goes two ways, past a branch and into it, its gradient is the sum of those that come back.".into(),
            ));
        }
        for (index, stage) in self.stages.iter().enumerate().rev() {
            blocks.push(Block::Heading(heading(stage)));
            blocks.push(Block::Formula(stage.backward.into()));
            blocks.extend(products(stage).into_iter().map(Block::Formula));
            blocks.push(table(&["dL/dy"], &stage.output_axes, "", &[&stage.dy], most));
            // A local derivative of each element stands beside its gradient.
            let (beside, local): (Vec<&Named>, Vec<&Named>) =
                stage.local.iter().partition(|named| named.values.len() == stage.dx.len() && named.name == "dy/dx");
            blocks.extend(local.into_iter().map(|named| named_table(named, most)));
            blocks.extend(stage.parameters.iter().map(|parameter| gradient_table(parameter, most)));
            blocks.push(input_table(stage, beside.first().copied(), most));
            let checks = stage.parameters.iter().flat_map(|parameter| &parameter.checks).chain(&stage.dx_checks);
            if let Some(kink) = checks.flatten().find(|check| check.at_kink) {
                blocks.push(Block::Note(kink_note(kink)));
            }
            if index == 0 {
                blocks.push(Block::Note(
                    "Nobody needs dL/dx of the first layer, so the learner on a board does not compute it.".into(),
                ));
            }
        }
        Section { title: "3  Backward: the chain rule, layer by layer".into(), blocks }
    }

    fn result(&self) -> Section {
        let row = |name: &str, value: String| vec![name.to_string(), value];
        let change = self.loss_after - self.loss;
        let mut rows = vec![
            row("loss before", number(self.loss)),
            row("loss after", number(self.loss_after)),
            row("change", number(change)),
            row("change that the gradient promises for a small step: -Σ step dL/dw", number(self.expected_change)),
            row("gradients", self.gradients.to_string()),
            row("of these held against a finite difference", self.checked.to_string()),
        ];
        let mut error = "largest relative error";
        if self.kinks > 0 {
            rows.push(row("of these at a kink, where a difference says nothing", self.kinks.to_string()));
            error = "largest relative error of the others";
        }
        rows.push(row(error, format!("{:.1e}", self.largest_error)));
        let mut blocks = vec![Block::Table { header: row("", "value".into()), rows, skipped: 0 }];
        if change > 0.0 {
            blocks
                .push(Block::Note("The loss has grown: the step was too long. Take a smaller --learning-rate.".into()));
        }
        if self.checked < self.gradients {
            blocks.push(Block::Note(
                "The network is large: differences were taken of some gradients of each array, evenly spread.".into(),
            ));
        }
        Section { title: "5  After the step".into(), blocks }
    }
}

fn heading(stage: &StageStep) -> String {
    let shape = |axes: &[usize]| axes.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
    format!("Layer {}  {}   [{}] -> [{}]", stage.name, stage.layer, shape(&stage.input_axes), shape(&stage.output_axes))
}

fn kink_note(check: &Check) -> String {
    let Check { difference, .. } = check;
    format!(
        "kink: between the two places where the loss was taken a gate opens or closes, or a maximum moves, so the difference is no \
         derivative (here {} from below, {} from above); the gradient is that of one side.",
        number(difference.below),
        number(difference.above)
    )
}

/// The sums of a small dense layer, with their numbers.
fn sums(stage: &StageStep) -> Vec<String> {
    if !stage.layer.starts_with("dense") || stage.x.len() > MOST_TERMS || stage.y.len() > 2 * MOST_TERMS {
        return Vec::new();
    }
    let outputs = stage.y.len();
    let weight = &stage.parameters[0].before;
    let one = |j: usize| {
        let bias = stage.parameters.get(1).map(|bias| signed(bias.before[j]));
        let terms =
            stage.x.iter().enumerate().map(|(i, x)| format!("{} * {}", signed(*x), signed(weight[i * outputs + j])));
        let sum = bias.into_iter().chain(terms).collect::<Vec<_>>().join(" + ");
        format!("y[{j}] = {sum} = {}", number(stage.y[j]))
    };
    (0..outputs).map(one).collect()
}

/// The first product of each kind of a small dense layer, with its numbers.
fn products(stage: &StageStep) -> Vec<String> {
    if !stage.layer.starts_with("dense") || stage.y.len() > MOST_TERMS {
        return Vec::new();
    }
    let outputs = stage.y.len();
    let weight = &stage.parameters[0];
    let terms: Vec<String> =
        stage.dy.iter().enumerate().map(|(j, dy)| format!("{} * {}", signed(weight.before[j]), signed(*dy))).collect();
    debug_assert_eq!(weight.axes[1], outputs);
    vec![
        format!("dL/dw[0][0] = {} * {} = {}", signed(stage.x[0]), signed(stage.dy[0]), number(weight.gradient[0])),
        format!("dL/dx[0] = {} = {}", terms.join(" + "), number(stage.dx[0])),
    ]
}

/// As a factor in a line: without zeros at its end, and in brackets if negative.
pub(super) fn signed(value: f64) -> String {
    let text = number(value);
    let text = if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    if value < 0.0 { format!("({text})") } else { text.into() }
}

/// `[1][2]` of a flat place.
pub(super) fn place(axes: &[usize], mut at: usize) -> String {
    let mut parts = Vec::new();
    for axis in axes.iter().rev() {
        parts.push(format!("[{}]", at % axis));
        at /= axis;
    }
    parts.reverse();
    parts.concat()
}

/// Which rows are shown: the first ones, and the last two.
fn shown(count: usize, most: usize) -> Vec<usize> {
    if count <= most { (0..count).collect() } else { (0..most - 2).chain(count - 2..count).collect() }
}

fn rows_of(
    name: &str,
    axes: &[usize],
    count: usize,
    most: usize,
    cells: impl Fn(usize) -> Vec<String>,
) -> (Vec<Vec<String>>, usize) {
    let shown = shown(count, most);
    let skipped = count - shown.len();
    let row = |at: &usize| [format!("{name}{}", place(axes, *at))].into_iter().chain(cells(*at)).collect();
    let mut rows: Vec<Vec<String>> = shown.iter().map(row).collect();
    if skipped > 0 {
        let width = rows[0].len();
        rows.insert(most - 2, [String::from("...")].into_iter().chain(vec![String::new(); width - 1]).collect());
    }
    (rows, skipped)
}

pub(super) fn table(header: &[&str], axes: &[usize], name: &str, columns: &[&[f64]], most: usize) -> Block {
    let count = columns.first().map_or(0, |column| column.len());
    let (rows, skipped) =
        rows_of(name, axes, count, most, |at| columns.iter().map(|column| number(column[at])).collect());
    let header = [String::new()].into_iter().chain(header.iter().map(ToString::to_string)).collect();
    Block::Table { header, rows, skipped }
}

fn named_table(named: &Named, most: usize) -> Block {
    table(&["value"], &named.axes, named.name, &[&named.values], most)
}

fn checked(check: Option<Check>) -> [String; 2] {
    match check {
        None => ["-".into(), "-".into()],
        Some(Check { difference, at_kink: true, .. }) => [number(difference.central), "kink".into()],
        Some(Check { difference, error, .. }) => {
            [number(difference.central), if error == 0.0 { "0".into() } else { format!("{error:.1e}") }]
        }
    }
}

fn gradient_table(parameter: &ParameterStep, most: usize) -> Block {
    let count = parameter.gradient.len();
    if parameter.is_statistic {
        let values: [&[f64]; 2] = [&parameter.before, &parameter.gradient];
        return table(&["value", "measured change"], &parameter.axes, &parameter.name, &values, most);
    }
    let (rows, skipped) = rows_of(&parameter.name, &parameter.axes, count, most, |at| {
        let values = [number(parameter.before[at]), number(parameter.gradient[at])];
        values.into_iter().chain(checked(parameter.checks[at])).collect()
    });
    let header = ["", "w", "dL/dw", "difference", "error"].map(ToString::to_string).to_vec();
    Block::Table { header, rows, skipped }
}

fn input_table(stage: &StageStep, local: Option<&Named>, most: usize) -> Block {
    let (rows, skipped) = rows_of("x", &stage.input_axes, stage.dx.len(), most, |at| {
        let local = local.map(|local| number(local.values[at]));
        let values = [number(stage.x[at])].into_iter().chain(local).chain([number(stage.dx[at])]);
        values.chain(checked(stage.dx_checks[at])).collect()
    });
    let local = local.map(|local| local.name);
    let header = ["", "x"].into_iter().chain(local).chain(["dL/dx", "difference", "error"]);
    Block::Table { header: header.map(ToString::to_string).collect(), rows, skipped }
}
