//! Networks written as a line: `3x100 conv1d(8,5) relu maxpool(2) dense(16) relu dense(4)`.
//!
//! First the sample, channels first as in PyTorch: `64` values, `3x100` (3 channels, 100 steps), `1x28x28` (1 channel, 28 rows, 28
//! columns). Then the layers. Arguments are in the order below; those with `=` and those behind them can be left out.
//!
//! | layer | arguments |
//! |---|---|
//! | `dense` | outputs, `bias=no` |
//! | `conv1d`, `conv2d` | outputs, kernel, stride=1, dilation=1, padding=valid, `bias=no` |
//! | `depthwise` | kernel, stride=1, dilation=1, padding=valid, `bias=no` |
//! | `maxpool`, `averagepool` | kernel, stride=kernel, padding=valid |
//! | `globalmaxpool`, `globalaveragepool`, `flatten` | |
//! | `relu`, `relu6`, `sigmoid`, `tanh`, `elu`, `selu`, `gelu`, `silu`, `mish`, `softplus`, `softsign`, `hardsigmoid`, `hardswish`, `softmax`, `logsoftmax` | |
//! | `leakyrelu` | slope=0.01 |
//! | `prelu` | `shared` (one slope, not one a channel) |
//! | `dropout` | rate=0.5 |
//! | `batchnorm`, `layernorm` | epsilon=1e-5 |
//! | `rnn`, `gru`, `lstm` | hidden, `sequence` (each step's state, not the last one's only), `bias=no` |
//! | `residual` | layers, the branch F: `y = F(x) + x`; or layers, a bar and more layers, the projection P: `y = F(x) + P(x)` |
//! | `keep` | |
//!
//! A kernel, stride or dilation is a number, or `3x1` for 3 rows and 1 column. Padding is `valid` (none), `same`, a number on both
//! sides, or `1:2` (before and behind). `flatten` before `dense` can be left out.
//!
//! Residual connections are written `residual(conv2d(16,3,padding=same) relu conv2d(16,3,padding=same))`, and with a projection
//! `residual(conv2d(32,3,2,padding=same) relu conv2d(32,3,padding=same) | conv2d(32,1,2))`. They can lie in one another. A projection
//! begins with a dense layer or a convolution. `keep`, a copy, stands where a branch begins with a layer that works in place, or ends
//! with one; it can be left out.

use std::fmt;
use std::str::FromStr;

use super::function::{Activation, Cell};
use super::layer::Layer;
use super::window::{Padding, Window};
use super::{DEEPEST, Network, NetworkError, Shape};

/// A line that is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Nothing is there.
    #[error("an empty line: a network is a sample's shape and layers, such as `64 dense(32) relu dense(10)`")]
    Empty,
    /// The first word is no shape.
    #[error(
        "`{0}` is no shape of a sample: expected `64`, `3x100` (channels x steps) or `3x32x32` (channels x rows x columns)"
    )]
    Shape(String),
    /// There are no layers.
    #[error("there are no layers behind `{0}`: add some, such as `dense(32) relu dense(10)`")]
    NoLayers(String),
    /// No such layer.
    #[error("layer {number}, {word}: there is no such layer; there are {known}")]
    Unknown {
        /// Which, from 1.
        number: usize,
        /// The word.
        word: String,
        /// What there is.
        known: String,
    },
    /// An argument makes no sense.
    #[error("layer {number}, {word}: {problem}")]
    Argument {
        /// Which, from 1.
        number: usize,
        /// The word.
        word: String,
        /// What is wrong.
        problem: String,
    },
    /// A layer does not take what comes before it.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// The names of all layers.
const NAMES: [&str; 18] = [
    "dense",
    "conv1d",
    "conv2d",
    "depthwise",
    "maxpool",
    "averagepool",
    "globalmaxpool",
    "globalaveragepool",
    "flatten",
    "dropout",
    "batchnorm",
    "layernorm",
    "prelu",
    "rnn",
    "gru",
    "lstm",
    "residual",
    "keep",
];

impl Network {
    /// Reads a line.
    ///
    /// # Errors
    /// Which layer makes no sense, and why.
    pub fn from_line(line: &str) -> Result<Self, LineError> {
        let mut words = split(line).into_iter();
        let sample = words.next().ok_or(LineError::Empty)?;
        let input = read_shape(&sample).ok_or_else(|| LineError::Shape(sample.clone()))?;
        let layers = read_layers(words, 0)?;
        if layers.is_empty() {
            return Err(LineError::NoLayers(sample));
        }
        Ok(Self::new(input, layers)?)
    }
}

impl FromStr for Network {
    type Err = LineError;

    fn from_str(line: &str) -> Result<Self, LineError> {
        Self::from_line(line)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.input)?;
        self.stages.iter().try_for_each(|stage| write!(f, " {}", stage.layer))
    }
}

/// The words of a line; spaces within brackets separate nothing.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut depth) = (Vec::new(), String::new(), 0_usize);
    for character in line.chars().chain([' ']) {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match character {
            _ if character.is_whitespace() && depth == 0 => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(character),
        }
    }
    // A bracket that is never closed: the last word is told with it.
    words.extend((!word.is_empty()).then_some(word));
    words
}

fn read_shape(word: &str) -> Option<Shape> {
    let lengths: Vec<usize> = word.split(['x', 'X']).map(|length| length.parse().ok()).collect::<Option<_>>()?;
    let (channels, positions) = lengths.split_first()?;
    Shape::new(&[positions, &[*channels]].concat())
}

fn read_layers(words: impl IntoIterator<Item = String>, depth: usize) -> Result<Vec<Layer>, LineError> {
    words.into_iter().enumerate().map(|(index, word)| read_layer(index + 1, word.trim(), depth)).collect()
}

fn read_layer(number: usize, word: &str, depth: usize) -> Result<Layer, LineError> {
    let problem = |problem: String| LineError::Argument { number, word: word.into(), problem };
    let (name, rest) = word.split_once('(').map_or((word, None), |(name, rest)| (name, Some(rest)));
    let inner = match rest {
        None => "",
        Some(rest) => rest.strip_suffix(')').ok_or_else(|| problem("its bracket is not closed".into()))?,
    };
    let name = name.to_ascii_lowercase();
    if name == "residual" {
        return read_residual(inner, depth).map_err(problem);
    }
    let inner: String = inner.chars().filter(|character| !character.is_whitespace()).collect();
    let mut arguments = Arguments::new(&inner);
    let layer = arguments.layer(&name).map_err(problem)?;
    let layer = layer.ok_or_else(|| LineError::Unknown { number, word: word.into(), known: known() })?;
    arguments.end().map_err(problem)?;
    Ok(layer)
}

/// What is between the brackets of a residual connection: a branch, or a branch, a bar and a projection.
fn read_residual(inner: &str, depth: usize) -> Result<Layer, String> {
    if depth == DEEPEST {
        return Err(format!("more than {DEEPEST} residual connections lie in one another"));
    }
    let mut open = 0_usize;
    let is_bar = |character: char| {
        match character {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        character == '|' && open == 0
    };
    let parts: Vec<&str> = inner.split(is_bar).collect();
    let read =
        |part: &str, name: &str| read_layers(split(part), depth + 1).map_err(|error| format!("in its {name}, {error}"));
    match parts[..] {
        [branch] => Ok(Layer::Residual { branch: read(branch, "branch")?, projection: Vec::new() }),
        [_, projection] if projection.trim().is_empty() => {
            Err("nothing is behind its bar: leave the bar out, or put a projection there, such as conv2d(16,1,2)"
                .into())
        }
        [branch, projection] => {
            Ok(Layer::Residual { branch: read(branch, "branch")?, projection: read(projection, "projection")? })
        }
        _ => Err("it has more than one bar: a branch, or a branch | a projection".into()),
    }
}

fn known() -> String {
    let activations = Activation::ALL.iter().map(|activation| activation.name().to_ascii_lowercase());
    NAMES.iter().map(|name| (*name).into()).chain(activations).collect::<Vec<String>>().join(", ")
}

/// Arguments that have not been read yet.
struct Arguments<'a> {
    positional: Vec<&'a str>,
    named: Vec<(&'a str, &'a str)>,
    next: usize,
}

impl<'a> Arguments<'a> {
    fn new(inner: &'a str) -> Self {
        let parts = inner.split(',').filter(|part| !part.is_empty());
        let (named, positional): (Vec<_>, Vec<_>) = parts.partition(|part| part.contains('='));
        let named = named.into_iter().filter_map(|part| part.split_once('=')).collect();
        Self { positional, named, next: 0 }
    }

    /// The layer of this name, if there is one.
    fn layer(&mut self, name: &str) -> Result<Option<Layer>, String> {
        let layer = match name {
            "dense" => Layer::Dense { outputs: self.count("outputs")?, bias: self.bias()? },
            "conv1d" | "conv2d" => Layer::Conv {
                axes: if name == "conv1d" { 1 } else { 2 },
                outputs: self.count("outputs")?,
                window: self.window(None)?,
                bias: self.bias()?,
            },
            "depthwise" => Layer::Depthwise { window: self.window(None)?, bias: self.bias()? },
            "maxpool" => Layer::MaxPool { window: self.pool()? },
            "averagepool" => Layer::AveragePool { window: self.pool()? },
            "globalmaxpool" => Layer::GlobalMaxPool,
            "globalaveragepool" => Layer::GlobalAveragePool,
            "flatten" => Layer::Flatten,
            "keep" => Layer::Keep,
            "leakyrelu" => {
                Layer::Activation(Activation::LeakyRelu { slope: self.number("slope", 0.01, f32::is_finite)? })
            }
            "dropout" => Layer::Dropout { rate: self.number("rate", 0.5, |rate| (0.0..1.0).contains(&rate))? },
            "batchnorm" => Layer::BatchNorm { epsilon: self.number("epsilon", 1e-5, |epsilon| epsilon >= 0.0)? },
            "layernorm" => Layer::LayerNorm { epsilon: self.number("epsilon", 1e-5, |epsilon| epsilon >= 0.0)? },
            "prelu" => Layer::PRelu { shared: self.flag("shared") },
            "rnn" => self.recurrent(Cell::Rnn)?,
            "gru" => self.recurrent(Cell::Gru)?,
            "lstm" => self.recurrent(Cell::Lstm)?,
            _ => {
                let activations = Activation::ALL.into_iter();
                let mut named = activations.filter(|activation| activation.name().eq_ignore_ascii_case(name));
                return Ok(named.next().map(Layer::Activation));
            }
        };
        Ok(Some(layer))
    }

    fn recurrent(&mut self, cell: Cell) -> Result<Layer, String> {
        let hidden = self.count("hidden")?;
        let sequence = self.flag("sequence");
        Ok(Layer::Recurrent { cell, hidden, sequence, bias: self.bias()? })
    }

    /// Whether the next argument is this word.
    fn flag(&mut self, word: &str) -> bool {
        let is_there = self.positional.get(self.next) == Some(&word);
        self.next += usize::from(is_there);
        is_there
    }

    fn pool(&mut self) -> Result<Window, String> {
        let kernel = self.size("kernel")?.ok_or("it needs a kernel, such as 2")?;
        self.window(Some(kernel))
    }

    /// What a kernel sees; a pool's kernel is also its stride and has been read.
    fn window(&mut self, pool: Option<[usize; 2]>) -> Result<Window, String> {
        let kernel = match pool {
            Some(kernel) => kernel,
            None => self.size("kernel")?.ok_or("it needs a kernel, such as 3")?,
        };
        let stride = self.size("stride")?.unwrap_or(pool.unwrap_or([1; 2]));
        let dilation = if pool.is_some() { [1; 2] } else { self.size("dilation")?.unwrap_or([1; 2]) };
        let padding = match self.take("padding") {
            None | Some("valid") => Padding::Valid,
            Some("same") => Padding::Same,
            Some(text) => {
                let (before, after) = text.split_once(':').unwrap_or((text, text));
                let read = |text: &str| {
                    read_size(text).ok_or_else(|| format!("padding={text}: expected valid, same, a number, or 1:2"))
                };
                Padding::Explicit { before: read(before)?, after: read(after)? }
            }
        };
        Ok(Window { kernel, stride, dilation, padding })
    }

    fn bias(&mut self) -> Result<bool, String> {
        match self.take_named("bias") {
            None | Some("yes") => Ok(true),
            Some("no") => Ok(false),
            Some(text) => Err(format!("bias={text}: expected yes or no")),
        }
    }

    /// The next argument, by its name or by its place.
    fn take(&mut self, name: &str) -> Option<&'a str> {
        self.take_named(name).or_else(|| {
            let argument = self.positional.get(self.next).copied();
            self.next += usize::from(argument.is_some());
            argument
        })
    }

    fn take_named(&mut self, name: &str) -> Option<&'a str> {
        let at = self.named.iter().position(|(named, _)| *named == name)?;
        Some(self.named.remove(at).1)
    }

    fn count(&mut self, name: &str) -> Result<usize, String> {
        let text = self.take(name).ok_or_else(|| format!("it needs a number of {name}, such as 16"))?;
        let count = text.parse().ok().filter(|count| (1..1 << 24).contains(count));
        count.ok_or_else(|| format!("{text} is no number of {name}: expected 1 or more"))
    }

    fn size(&mut self, name: &str) -> Result<Option<[usize; 2]>, String> {
        let size = self.take(name).map(|text| {
            let size = read_size(text).filter(|size| size.iter().all(|side| *side > 0));
            size.ok_or_else(|| format!("{text} is no {name}: expected 3, or 3x1 for rows and columns"))
        });
        size.transpose()
    }

    fn number(&mut self, name: &str, usual: f32, fits: impl Fn(f32) -> bool) -> Result<f32, String> {
        let Some(text) = self.take(name) else { return Ok(usual) };
        let number = text.parse().ok().filter(|number| fits(*number) && number.is_finite());
        number.ok_or_else(|| format!("{text} is no {name}"))
    }

    /// Nothing may be left.
    fn end(&self) -> Result<(), String> {
        let named = self.named.first().map(|(name, value)| format!("{name}={value}"));
        let left = named.or_else(|| self.positional.get(self.next).map(ToString::to_string));
        left.map_or(Ok(()), |left| Err(format!("it has no argument `{left}`")))
    }
}

fn read_size(text: &str) -> Option<[usize; 2]> {
    let (rows, columns) = text.split_once('x').unwrap_or((text, text));
    let side = |text: &str| text.parse::<usize>().ok().filter(|side| *side < 1 << 16);
    Some([side(rows)?, side(columns)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_as_it_is_read() {
        for line in [
            "64 dense(32) relu dense(10,bias=no)",
            "3x100 conv1d(8,5) relu maxpool(2) flatten dense(16) leakyrelu(0.2) dense(4) softmax",
            "3x32x32 conv2d(8,3x1,2,dilation=2,padding=1,bias=no) batchnorm(0.001) depthwise(3,2x1,padding=0:1) averagepool(3,2)",
            "6x50 gru(8,sequence) lstm(4,bias=no) dropout(0.25) layernorm(0.00001) dense(1)",
            "3x8x8 residual(conv2d(3,3,padding=same) relu conv2d(3,3,padding=same)) residual(conv2d(4,3,2,padding=1) | conv2d(4,1,2))",
            "8 residual(residual(dense(8)) tanh residual(dense(4) | dense(4)) | dense(6) relu dense(4)) dense(2)",
            "8 residual(keep relu dense(8) relu keep)",
            "3x8 conv1d(4,3) prelu flatten dense(2) prelu(shared)",
        ] {
            assert_eq!(Network::from_line(line).unwrap().to_string(), line);
        }
        let spaced = Network::from_line(" 3X100  Conv1d( 8, 5, padding = same ) ReLU dense(4) ").unwrap();
        assert_eq!(spaced.to_string(), "3x100 conv1d(8,5,padding=same) relu flatten dense(4)");
        let spaced = Network::from_line("4  Residual( relu dense( 4 , bias = no )|dense(4) ) ").unwrap();
        assert_eq!(spaced.to_string(), "4 residual(keep relu dense(4,bias=no) | dense(4))");
    }

    #[test]
    fn what_is_wrong_within_a_residual_connection_is_named() {
        let message = |line: &str| Network::from_line(line).unwrap_err().to_string();
        for (line, words) in [
            ("8 relu residual(dense(8) dens(8))", &["layer 2", "branch", "dens(8)", "no such layer"][..]),
            ("8 residual(dense(4))", &["branch gives 4", "input is 8", "projection"]),
            ("8 residual(dense(4) | dense(5))", &["gives 4", "projection gives 5"]),
            ("8 residual(dense(4) | relu dense(4))", &["projection begins with relu"]),
            ("8 residual(dense(4) | dense(4) conv1d(2,3))", &["projection", "layer 2", "conv1d(2,3)"]),
            ("8 residual()", &["no branch"]),
            ("8 residual(keep)", &["no branch"]),
            ("8 residual(dense(8) |)", &["behind its bar"]),
            ("8 residual(dense(8) | dense(8) | dense(8))", &["more than one bar"]),
            ("8 residual(keep dense(8))", &["leave keep out"]),
            ("8 keep dense(8)", &["layer 1", "leave keep out"]),
            ("2x4 flatten residual(dense(8))", &["layer 2", "flattened"]),
            ("8 residual(dense(8)", &["bracket"]),
        ] {
            let message = message(line);
            assert!(words.iter().all(|word| message.contains(word)), "{line}: {message}");
        }
        let deep = |levels: usize| format!("8 {}dense(8){}", "residual(".repeat(levels), ")".repeat(levels));
        assert!(Network::from_line(&deep(DEEPEST)).is_ok());
        assert!(message(&deep(DEEPEST + 1)).contains("lie in one another"));
        assert!(message(&deep(100_000)).contains("lie in one another"));
        // A flatten of one channel has its values in order everywhere.
        assert!(Network::from_line("1x8 flatten residual(dense(8))").is_ok());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "",
            "dense(3)",
            "0 dense(3)",
            "2x3x4x5 relu",
            "8",
            "8 dens(3)",
            "8 dense",
            "8 dense(0)",
            "8 dense(-1)",
            "8 dense(3",
            "8 dense(3,4)",
            "8 dense(3,bias=maybe)",
            "8 dense(3,stride=2)",
            "8 prelu(0.25)",
            "8 conv1d(4,3)",
            "3x8 conv2d(4,3)",
            "3x8 conv1d(4)",
            "3x8 conv1d(4,0)",
            "3x8 conv1d(4,3,0)",
            "3x8 conv1d(4,3,padding=some)",
            "3x8 maxpool(9)",
            "8 dropout(1.5)",
            "8 dense(99999999999999999999)",
            "99999999x99999999 relu",
        ] {
            assert!(Network::from_line(line).is_err(), "{line}");
        }
    }
}
