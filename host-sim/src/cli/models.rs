//! What `import` and `export` have in common.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use backpass_sim::formats::checkpoint::Checkpoint;
use backpass_sim::formats::{Application, Model, Problems, Row, flash};
use backpass_sim::network::{Network, Shape};
use clap::Args;
use serde_json::{Value, json};

use super::screen::Screen;

/// What a checkpoint begins with.
const MAGIC: &[u8] = &backpass::checkpoint::format::MAGIC;

/// Which network is meant.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct Wanted {
    /// The network as a line: the sample's shape, channels first, and the layers
    #[arg(long, value_name = "LINE")]
    network: Option<String>,
    /// The network of an application
    #[arg(long, value_enum)]
    pub(crate) application: Option<Application>,
}

impl Wanted {
    pub(crate) fn network(&self) -> Result<Option<Network>, Problems> {
        let network = match (&self.network, self.application) {
            (Some(line), _) => Some(Network::from_line(line)),
            (None, Some(application)) => Some(application.network()),
            (None, None) => None,
        };
        network.transpose().map_err(|error| format!("--network: {error}").into())
    }
}

/// Where a file goes, and what is told.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// The file to write
    #[arg(short, long = "output", value_name = "FILE")]
    output: PathBuf,
    /// Print nothing but errors (and the object of --json)
    #[arg(long)]
    quiet: bool,
    /// Print one JSON object and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

impl Output {
    pub(crate) fn path(&self) -> &Path {
        &self.output
    }

    pub(crate) fn line(&self, text: impl AsRef<str>) {
        Screen::new(self.quiet || self.json).line(text);
    }

    pub(crate) fn json(&self, value: &Value) {
        Screen::new(true).json(value);
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
        Ok(fs::write(&self.output, bytes).map_err(|error| format!("{}: {error}", self.output.display()))?)
    }

    /// The error of all that is wrong with a file; for programs, on standard output too.
    pub(crate) fn problems(&self, file: &Path, problems: Problems) -> Box<dyn Error> {
        if self.json {
            self.json(&json!({ "file": file, "problems": problems.list() }));
        }
        format!("{}: {problems}", file.display()).into()
    }
}

pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, Problems> {
    fs::read(path).map_err(|error| format!("it cannot be read: {error}").into())
}

/// The bytes of an image that may be written as Intel HEX.
pub(crate) fn image(bytes: &[u8]) -> Result<Vec<u8>, Problems> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.starts_with(':') => flash::from_hex(text),
        _ => Ok(bytes.to_vec()),
    }
}

/// The model in a checkpoint, a dump of a flash or an image of parameters, and which of them it is.
pub(crate) fn load(path: &Path, network: &Network) -> Result<(Model, String), Problems> {
    let bytes = image(&read_file(path)?)?;
    if bytes.windows(MAGIC.len()).any(|window| window == MAGIC) {
        let found = Checkpoint::find(&bytes, network)?;
        let (offset, sequence, observed) = (found.offset, found.info.sequence, found.info.observed);
        let source = format!("checkpoint {sequence} at byte {offset}, after {observed} samples");
        return Ok((found.model(network)?, source));
    }
    let (length, expected) = (bytes.len(), 4 * network.parameter_count());
    if length != expected {
        return Err(format!(
            "{length} bytes without a checkpoint: an image of the parameters of `{network}` has {expected}"
        )
        .into());
    }
    Ok((flash::read(&bytes, network)?, "image of parameters".into()))
}

/// An address as people write it: `0x80000` or `524288`.
pub(crate) fn address(text: &str) -> Result<u32, String> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let address = hex.map_or_else(|| text.parse(), |hex| u32::from_str_radix(&hex.replace('_', ""), 16));
    address.map_err(|_| "expected an address of 32 bits, such as 0x80000".into())
}

/// The shape of a sample: `64`, `3x100`, `3x32x32`.
pub(crate) fn shape(text: &str) -> Result<Shape, String> {
    // As in a line, of which it is the first word.
    let network = Network::from_line(&format!("{text} relu")).map_err(|error| error.to_string())?;
    Ok(network.input().clone())
}

/// What became of each tensor, for people.
pub(crate) fn table(rows: &[Row]) -> String {
    let shape = |lengths: &[usize]| {
        let lengths: Vec<_> = lengths.iter().map(ToString::to_string).collect();
        format!("[{}]", lengths.join(", "))
    };
    let mut cells = vec![["layer", "parameter", "shape", "in the file", "shape there"].map(str::to_string)];
    cells.extend(rows.iter().map(|row| {
        [row.layer.clone(), row.parameter.clone(), shape(&row.axes), row.tensor.clone(), shape(&row.shape)]
    }));
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(width);
    let lines = cells.iter().map(|row| {
        let line = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>().join("  ");
        line.trim_end().to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The same for programs.
pub(crate) fn rows_json(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        json!({
            "layer": row.layer,
            "parameter": row.parameter,
            "axes": row.axes,
            "tensor": row.tensor,
            "shape": row.shape,
        })
    };
    rows.iter().map(row).collect()
}
