//! `export`: what a board learned opens in PyTorch, Netron or ONNX Runtime.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use backpass_sim::formats::{Model, Problems, onnx, safetensors, torch};
use backpass_sim::network::Network;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::models::{Output, Wanted, load, rows_json, table};

/// Options of `export`.
#[derive(Debug, Args)]
#[command(after_help = "\
FILE is a checkpoint, a dump of the flash with one somewhere in it (the newest whole one is taken), a raw image of parameters, or any of them as
Intel HEX. It does not say which network it is of, but its fingerprint must be that of --network.

  safetensors  PyTorch's names and layouts; --module writes the nn.Sequential whose load_state_dict takes it
  onnx         operator set 17. The sample is [batch], channels, then positions, as PyTorch has it: float32[batch,3,100] for 3x100.
               A flatten in it goes channels first, and the rows of the dense layer behind it are put in that order

Examples:
  backpass-sim export flash.bin --network '3x100 conv1d(8,5) relu maxpool(2) dense(16) relu dense(4)' --to onnx -o model.onnx
  backpass-sim export digits.bin --application digits --to safetensors -o digits.safetensors --module digits.py")]
pub(crate) struct Export {
    /// The image
    file: PathBuf,
    #[command(flatten)]
    wanted: Wanted,
    /// What to write
    #[arg(long, value_enum)]
    to: To,
    /// Also write the PyTorch module that takes the values
    #[arg(long, value_name = "FILE.py")]
    module: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// What a model becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// PyTorch's `state_dict`
    Safetensors,
    /// A model for ONNX Runtime and Netron
    Onnx,
}

impl Export {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let (model, source) = self.read().map_err(|problems| self.output.problems(&self.file, problems))?;
        let (bytes, rows) = match self.to {
            To::Safetensors => safetensors::write(&model)?,
            To::Onnx => onnx::write(&model),
        };
        self.output.write(&bytes)?;
        let module = torch::module(model.network());
        if let Some(path) = &self.module {
            fs::write(path, &module).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let (network, count) = (model.network(), model.network().parameter_count());
        if self.output.json {
            self.output.json(&json!({
                "network": network.to_string(),
                "source": source,
                "parameters": count,
                "tensors": rows_json(&rows),
                "module": module,
                "output": self.output.path(),
                "bytes": bytes.len(),
            }));
            return Ok(ExitCode::SUCCESS);
        }
        self.output.line(format!("from        {source}"));
        self.output.line(format!("network     {network}"));
        self.output.line(format!("parameters  {count}\n"));
        self.output.line(table(&rows));
        self.output.line(format!("\nwrote {}: {} bytes", self.output.path().display(), bytes.len()));
        match (&self.module, self.to) {
            (Some(path), _) => self.output.line(format!("wrote {}", path.display())),
            (None, To::Safetensors) => self.output.line("--module model.py writes the PyTorch module that takes it"),
            (None, To::Onnx) => {}
        }
        Ok(ExitCode::SUCCESS)
    }

    fn read(&self) -> Result<(Model, String), Problems> {
        let network: Network = self.wanted.network()?.ok_or(
            "an image does not say which network it is of: say it, such as --network '64 dense(32) relu dense(10)' or \
             --application digits",
        )?;
        load(&self.file, &network)
    }
}
