//! `new`: a project for a board.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use backpass_sim::budget::Choice;
use backpass_sim::formats::{Model, onnx};
use backpass_sim::network::{Network, Rule, Shape};
use backpass_sim::project::{self, Board, Goal, Origin, Plan};
use clap::Args;
use serde_json::json;

use super::rules;
use super::screen::{Screen, thousands};

/// Options of `new`.
#[derive(Debug, Args)]
#[command(after_help = "\
The project is ready: `cargo run --release` in it flashes the board, or starts QEMU. Its application is the `stream` of backpass-app: the board
learns whatever comes over its serial line, sample by sample, answers with predictions, and keeps what it learned in flash; `feed.py` in
the project sends the rows of a CSV file. Network, rule and learning rate stand in src/network.rs. What does not fit the board is
refused, and what would help is said: see `backpass-sim budget`.

With --train-last N only the last N layers that have parameters learn; those before are frozen and lie in flash (src/weights.rs): with the weights of
the --onnx file, or random ones until trained ones are put there. What learns starts from the file's values (src/trained.rs).

The project depends on the crates backpass and backpass-app by the path of a checkout: that which this program was built in, or --backpass. With
an address such as https://... it depends on them by Git.

Exit codes: 0; 2 if the project was not written.

Examples:
  backpass-sim new hello --board qemu --network \"64 dense(32) relu dense(10)\"
  backpass-sim new shaker --board microbit-v2 --network \"3x100 conv1d(8,5) relu maxpool(2) dense(16) relu dense(4)\" --train-last 1
  backpass-sim new mine --board nucleo-f446re --onnx model.onnx --train-last 1
  backpass-sim new pump --board pico2 --network \"640 dense(64) relu dense(8) relu dense(64) relu dense(640)\" --loss mean-squared-error")]
pub(crate) struct New {
    /// Folder of the project; its last part is the project's name
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Board
    #[arg(long, value_enum)]
    board: Board,
    /// Network as a line: a sample's shape and layers; `backpass-sim budget --help` lists them
    #[arg(long, value_name = "LINE", required_unless_present = "onnx", conflicts_with = "onnx")]
    network: Option<String>,
    /// Network and trained parameters of an ONNX file: learning starts from them
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// Shape of a sample, channels first, where the ONNX file leaves it open: 64, 3x100, 3x32x32
    #[arg(long, value_name = "SHAPE", value_parser = super::models::shape, requires = "onnx")]
    input: Option<Shape>,
    /// Only the last N layers that have parameters learn; those before are frozen
    #[arg(long, value_name = "N")]
    train_last: Option<usize>,
    /// Rule by which it learns
    #[arg(long, value_name = "RULE", default_value_t = Rule::Adam, value_parser = rules(Rule::has_gradients))]
    optimizer: Rule,
    /// What it learns: classes, or numbers
    #[arg(long, value_enum, value_name = "LOSS", default_value = "cross-entropy")]
    loss: Goal,
    /// Name of the package [default: that of the folder]
    #[arg(long)]
    name: Option<String>,
    /// Checkout of backpass, or the address of its Git repository [default: the checkout that this program was built in]
    #[arg(long, value_name = "PATH|URL")]
    backpass: Option<String>,
    /// Write into a folder that is not empty: files of the same name are replaced
    #[arg(long)]
    force: bool,
    /// Print one JSON object instead of words
    #[arg(long)]
    json: bool,
}

impl New {
    /// The network, and its trained parameters if it has some.
    fn model(&self) -> Result<(Network, Option<Model>), Box<dyn Error>> {
        if let Some(line) = &self.network {
            return Ok((Network::from_line(line)?, None));
        }
        let path = self.onnx.as_deref().ok_or("give a --network or an --onnx file")?;
        let bytes = fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let imported = onnx::read(&bytes, self.input.as_ref(), &|name| super::import::beside(path, name))
            .map_err(|problems| format!("{}: {problems}", path.display()))?;
        Ok((imported.model.network().clone(), Some(imported.model)))
    }

    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let folder = std::path::absolute(&self.folder)?;
        let name = match &self.name {
            Some(name) => name.clone(),
            None => folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let (network, trained) = self.model()?;
        let choice = Choice { rule: self.optimizer, train_last: self.train_last, bias_only: false };
        let origin = self.backpass.as_deref().map_or_else(Origin::own, Origin::named);
        let plan = Plan::new(&name, self.board, &network, choice, self.loss, origin)?;
        let plan = match trained {
            Some(model) => plan.trained(model.values().to_vec())?,
            None => plan,
        };
        let written = project::write(&plan, &folder, self.force)?;
        let screen = Screen::new(self.json);
        let ram = plan.budget.ram();
        if self.json {
            screen.json(&json!({
                "folder": folder,
                "name": plan.name,
                "board": self.board.name(),
                "target": self.board.target(),
                "network": plan.network.to_string(),
                "ram_bytes": ram,
                "frozen_bytes": plan.budget.frozen(),
                "files": written,
            }));
            return Ok(ExitCode::SUCCESS);
        }
        if plan.without_softmax {
            screen.line("The softmax at the end is left out: cross-entropy has it in it, and the largest output stays the largest.");
        }
        screen.line(format!("wrote {} files into {}", written.len(), self.folder.display()));
        screen.line(format!("{} learns in {} bytes of RAM on {}", plan.network, thousands(ram), self.board.name()));
        if plan.budget.frozen() > 0 && plan.trained.is_none() {
            let frozen = thousands(plan.budget.frozen());
            screen.line(format!(
                "{frozen} bytes of frozen parameters in src/weights.rs are random: put trained ones there"
            ));
        }
        screen.line(format!("\n  cd {}\n  cargo run --release\n", self.folder.display()));
        screen.line("and README.md says how to feed it.");
        Ok(ExitCode::SUCCESS)
    }
}
