//! `import`: a model from PyTorch, Keras or ONNX goes to a board.

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use backpass_sim::formats::checkpoint::{self, Checkpoint};
use backpass_sim::formats::{Application, Framework, Imported, Model, Problems, flash, onnx, safetensors, source};
use backpass_sim::network::{Network, Rule};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::models::{Output, Wanted, read_file, rows_json, table};

/// Options of `import`.
#[derive(Debug, Args)]
#[command(after_help = "\
A .safetensors file holds values and names; the network comes as a line (--network) or is that of an application. Which tensor belongs to
which layer follows from shapes and names: those of nn.Sequential (0.weight), and any others with numbers in them (fc1.weight, dense_1/kernel);
where that leaves it open, --names says it. Weights of PyTorch are transposed, [out][in] and OIHW, behind a flatten from channels first to
channels last; those of Keras pass straight. An .onnx file has the network in it, residual connections too. All values keep their bits, except
that the two biases of a recurrent layer are added, and 64-bit floats are rounded.

What comes out:
  checkpoint  as a learner saves it in flash, loaded by `Store::load`; --optimizer says by which rule it will learn on
  raw         the parameters alone, f32, little-endian, in the learner's order
  rust        a source file: pub static PARAMETERS, for Frozen, FrozenPrefix or TrainableLast

A name that ends in .hex gives Intel HEX for --address. A checkpoint with an older one in the other slot: make it --into a dump of the flash, so
that it counts as newer; what the device keeps beside its learner then stays too.

Examples:
  backpass-sim import model.onnx --to rust -o model.rs
  backpass-sim import model.safetensors --network '3x100 conv1d(8,5) relu maxpool(2) dense(16) relu dense(4)' --to checkpoint -o model.bin
  backpass-sim import model.safetensors --application digits --to checkpoint --address 0x80000 -o digits.hex
  backpass-sim import keras.safetensors --layout keras --network '64 dense(32) relu dense(10)' --to raw -o model.bin --json")]
pub(crate) struct Import {
    /// The model: a .safetensors or .onnx file
    model: PathBuf,
    #[command(flatten)]
    wanted: Wanted,
    /// Shape of a sample, where an ONNX file leaves it open: 64, 3x100 (channels x steps), 3x32x32
    #[arg(long, value_name = "SHAPE", value_parser = super::models::shape)]
    input: Option<backpass_sim::network::Shape>,
    /// Whose names and layouts a safetensors file has
    #[arg(long, value_enum, default_value_t = Framework::PyTorch)]
    layout: Framework,
    /// What the layers with parameters are called in a safetensors file, in the order of the network
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    names: Option<Vec<String>>,
    /// What to write
    #[arg(long, value_enum)]
    to: To,
    /// Rule of the learner that a checkpoint is for [default: sgd, or the application's]
    #[arg(long, value_enum)]
    optimizer: Option<Rule>,
    /// Checkpoint, or dump of a flash with one, of which all but the parameters is kept
    #[arg(long, value_name = "FILE", conflicts_with = "optimizer")]
    into: Option<PathBuf>,
    /// Where in flash the image is to lie
    #[arg(long, value_name = "ADDRESS", value_parser = super::models::address)]
    address: Option<u32>,
    #[command(flatten)]
    output: Output,
}

/// What a model becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// A checkpoint image
    Checkpoint,
    /// The parameters alone
    Raw,
    /// A Rust source file
    Rust,
}

impl Import {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let imported = self.read().map_err(|problems| self.output.problems(&self.model, problems))?;
        let bytes = self.write(&imported.model)?;
        self.output.write(&bytes)?;
        let (network, count) = (imported.model.network(), imported.model.network().parameter_count());
        if self.output.json {
            self.output.json(&json!({
                "network": network.to_string(),
                "type": network.rust_type(),
                "input": network.input().rust_type(),
                "parameters": count,
                "tensors": rows_json(&imported.rows),
                "notes": imported.notes,
                "output": self.output.path(),
                "bytes": bytes.len(),
            }));
            return Ok(ExitCode::SUCCESS);
        }
        self.output.line(format!("network     {network}"));
        self.output.line(format!("in Rust     {}", network.rust_type()));
        self.output.line(format!("parameters  {count}\n"));
        self.output.line(table(&imported.rows));
        for note in &imported.notes {
            self.output.line(format!("note: {note}"));
        }
        self.output.line(format!("\nwrote {}: {} bytes", self.output.path().display(), bytes.len()));
        if let Some(address) = self.address.filter(|_| !self.is_hex()) {
            let path = self.output.path().display();
            self.output.line(format!(
                "flash it with: probe-rs download --chip CHIP --binary-format bin --base-address {address:#x} {path}"
            ));
        } else if self.is_hex() {
            let path = self.output.path().display();
            self.output.line(format!("flash it with: probe-rs download --chip CHIP --binary-format hex {path}"));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn read(&self) -> Result<Imported, Problems> {
        let bytes = read_file(&self.model)?;
        let given = self.wanted.network()?;
        match Kind::of(&self.model, &bytes)? {
            Kind::Safetensors => {
                let network = given.or_else(|| safetensors::network_of(&bytes)).ok_or(
                    "a safetensors file has values and names, not the network: say which it is, such as \
                     --network '64 dense(32) relu dense(10)' or --application digits",
                )?;
                safetensors::read(&bytes, &network, self.layout, self.names.as_deref())
            }
            Kind::Onnx => {
                let input = self.input.as_ref().or(given.as_ref().map(Network::input));
                let imported = onnx::read(&bytes, input, &|name| beside(&self.model, name))?;
                let found = imported.model.network();
                match given.filter(|given| given.fingerprint() != found.fingerprint()) {
                    Some(given) => {
                        let found = found.to_string();
                        Err(format!("the model is another network than `{given}`: it is `{found}`").into())
                    }
                    None => Ok(imported),
                }
            }
        }
    }

    fn is_hex(&self) -> bool {
        self.output.path().extension() == Some(OsStr::new("hex"))
    }

    fn write(&self, model: &Model) -> Result<Vec<u8>, Box<dyn Error>> {
        if self.to != To::Checkpoint && (self.into.is_some() || self.optimizer.is_some()) {
            return Err("--into and --optimizer are for --to checkpoint".into());
        }
        let image = match self.to {
            To::Rust if self.address.is_some() || self.is_hex() => {
                return Err(
                    "a source file has no address: leave out --address, or choose --to checkpoint or raw".into()
                );
            }
            To::Rust => return Ok(source::write(model, &self.name()).into_bytes()),
            To::Raw => flash::bytes(model),
            To::Checkpoint => self.checkpoint(model)?,
        };
        match self.address {
            Some(address) if self.is_hex() => Ok(flash::to_hex(&image, address)?.into_bytes()),
            None if self.is_hex() => Err("a .hex file needs --address, such as --address 0x80000".into()),
            _ => Ok(image),
        }
    }

    fn checkpoint(&self, model: &Model) -> Result<Vec<u8>, Box<dyn Error>> {
        if let Some(path) = &self.into {
            let bytes = read_file(path)?;
            let bytes = super::models::image(&bytes)?;
            let old = Checkpoint::find(&bytes, model.network())
                .map_err(|problems| format!("--into {}: {problems}", path.display()))?;
            return Ok(checkpoint::replace(&old, model)?);
        }
        let application = self.wanted.application;
        if application.is_some_and(Application::keeps_more) {
            return Err(
                "a checkpoint of this application keeps a scaler and windows beside the network: say --into and a \
                        checkpoint or flash dump of the device, or choose --to raw or rust"
                    .into(),
            );
        }
        let rule = self.optimizer.or(application.map(Application::rule)).unwrap_or(Rule::Sgd);
        Ok(checkpoint::write(model, rule))
    }

    /// What the file is called, for the head of a source file.
    fn name(&self) -> String {
        self.model.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// What a model file is.
enum Kind {
    Safetensors,
    Onnx,
}

impl Kind {
    fn of(path: &Path, bytes: &[u8]) -> Result<Self, Problems> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let other = match bytes {
            _ if extension == "safetensors" => return Ok(Self::Safetensors),
            _ if extension == "onnx" => return Ok(Self::Onnx),
            [b'P', b'K', ..] => {
                "an archive, as torch.save and Keras write it. PyTorch: safetensors.torch.save_file(model.state_dict(), \
                 'model.safetensors'), or torch.onnx.export"
            }
            [0x89, b'H', b'D', b'F', ..] => {
                "an HDF5 file. Save the weights as safetensors, or export the model as ONNX"
            }
            [_, _, _, _, b'T', b'F', b'L', b'3', ..] => "a TFLite file. Convert it with tf2onnx",
            [_, _, _, _, _, _, _, _, b'{', ..] => return Ok(Self::Safetensors),
            _ => "neither .safetensors nor .onnx",
        };
        Err(format!("it is {other}").into())
    }
}

/// Reads a file beside a model; no other.
pub(super) fn beside(model: &Path, name: &str) -> Result<Vec<u8>, String> {
    let is_name = Path::new(name).file_name() == Some(OsStr::new(name));
    if !is_name {
        return Err(format!("its values are in `{name}`, which is not a file beside the model"));
    }
    let path = model.with_file_name(name);
    fs::read(&path).map_err(|error| format!("its values are in {}: {error}", path.display()))
}
