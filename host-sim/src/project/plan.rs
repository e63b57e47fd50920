//! What a project is to be, checked before anything is written.

use std::path::{Path, PathBuf};

use backpass_app::stream::frame;

use super::{Board, DRIVERS, LONGEST_STEP, ProjectError, STACK};
use crate::budget::{Budget, Choice, Costs};
use crate::formats::Model;
use crate::network::{Activation, Layer, Network, Rule};

/// What a network learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Goal {
    /// Classes: by cross-entropy.
    CrossEntropy,
    /// Numbers: by the mean squared error.
    #[value(alias = "mse")]
    MeanSquaredError,
}

impl Goal {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "CrossEntropy",
            Self::MeanSquaredError => "MeanSquaredError",
        }
    }
}

/// Where the project gets the crates of this one from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A folder of a checkout.
    Folder(PathBuf),
    /// A Git repository.
    Git(String),
}

impl Origin {
    /// The checkout that this program was built in.
    #[must_use]
    pub fn own() -> Self {
        Self::Folder(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
    }

    /// A folder, or an address with `://`, or `git@` before it.
    #[must_use]
    pub fn named(text: &str) -> Self {
        if text.contains("://") || text.starts_with("git@") {
            Self::Git(text.into())
        } else {
            Self::Folder(text.into())
        }
    }

    /// The values of a dependency on a crate in a folder of it.
    pub(super) fn dependency(&self, folder: &str) -> Result<String, ProjectError> {
        match self {
            Self::Git(address) => Ok(format!("git = {address:?}")),
            Self::Folder(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let path = path.canonicalize().unwrap_or(path);
                if !path.join("core/Cargo.toml").is_file() || !path.join("firmware/app/Cargo.toml").is_file() {
                    return Err(ProjectError::NoCheckout { path });
                }
                Ok(format!("path = {:?}", path.join(folder).display().to_string()))
            }
        }
    }
}

/// A project that can be written.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The name of the package.
    pub name: String,
    /// The board.
    pub board: Board,
    /// The network; a softmax that the loss has in it is gone.
    pub network: Network,
    /// What learns, and by which rule.
    pub choice: Choice,
    /// The loss.
    pub goal: Goal,
    /// Where `backpass` is.
    pub origin: Origin,
    /// What it needs.
    pub budget: Budget,
    /// Trained parameters to start from, of the network and its frozen layers.
    pub trained: Option<Model>,
    /// Whether the network had a softmax at its end, which cross-entropy has in it.
    pub without_softmax: bool,
}

/// Why a network cannot be on a board.
enum Unfit {
    /// Of which memory how much is needed, and is there.
    Memory(&'static str, usize, usize),
    /// Seconds of a step.
    Slow(f64),
}

impl Unfit {
    fn error(self, board: Board, help: String) -> ProjectError {
        let board = board.name();
        match self {
            Self::Memory(what, needed, there) => ProjectError::DoesNotFit { board, what, needed, there, help },
            Self::Slow(seconds) => ProjectError::TooSlow { board, seconds, most: LONGEST_STEP, help },
        }
    }
}

/// Names that mean something else to Cargo or Rust, and those of every project's dependencies.
const TAKEN: &str = "test core std alloc proc_macro build deps examples incremental backpass backpass-app embedded-io embedded-storage \
                     static_cell";
/// Rust's own words.
const WORDS: &str = "as async await break const continue crate dyn else enum extern false fn for gen if impl in let loop match mod move \
                     mut pub ref return self static struct super trait true type unsafe use where while abstract become box do final \
                     macro override priv try typeof unsized virtual yield";

fn check_name(name: &str, board: Board) -> Result<(), ProjectError> {
    let problem = |problem| Err(ProjectError::Name { name: name.to_owned(), problem });
    let is_one = |of: &str| of.split_whitespace().any(|word| word == name);
    let is_dependency = board.parts().dependencies.lines().any(|line| line.split(' ').next() == Some(name));
    match name {
        "" => problem("it is empty"),
        _ if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') => {
            problem("a package has letters, digits, - and _ in its name")
        }
        _ if !name.starts_with(|c: char| c.is_ascii_alphabetic()) => problem("a package's name begins with a letter"),
        _ if is_one(TAKEN) || is_dependency => problem("that name is taken"),
        _ if is_one(WORDS) => problem("that is a word of Rust"),
        _ if name.len() > 64 => problem("it is longer than 64 letters"),
        _ => Ok(()),
    }
}

impl Plan {
    /// Checks that the network can learn this, and that it fits the board.
    ///
    /// # Errors
    /// What cannot be, and what to do.
    pub fn new(
        name: &str,
        board: Board,
        network: &Network,
        choice: Choice,
        goal: Goal,
        origin: Origin,
    ) -> Result<Self, ProjectError> {
        check_name(name, board)?;
        let (network, without_softmax) = without_softmax(network, goal);
        let plan = |choice| {
            let budget = Budget::new(&network, choice)?;
            let (name, network, origin) = (name.to_owned(), network.clone(), origin.clone());
            Ok::<Self, ProjectError>(Self {
                name,
                board,
                network,
                choice,
                goal,
                origin,
                budget,
                trained: None,
                without_softmax,
            })
        };
        let asked = plan(choice)?;
        asked.check_goal()?;
        asked.check_fit().map(|()| asked.clone()).map_err(|problem| problem.error(board, asked.help(&plan)))
    }

    /// What would help: less of it, then another board.
    fn help(&self, plan: &dyn Fn(Choice) -> Result<Self, ProjectError>) -> String {
        let (choice, mut helps) = (self.choice, Vec::new());
        let fits = |choice: &Choice| plan(*choice).is_ok_and(|plan| plan.check_fit().is_ok());
        let mut rules = [Rule::Momentum, Rule::Sgd].into_iter().filter(|rule| rule.moments() < choice.rule.moments());
        if let Some(rule) = rules.find(|rule| fits(&Choice { rule: *rule, ..choice })) {
            helps.push(format!("--optimizer {rule}"));
        }
        let layers = self.budget.learning();
        let mut lasts = (1..layers).rev().filter(|last| fits(&Choice { train_last: Some(*last), ..choice }));
        if let Some(last) = lasts.next() {
            helps.push(format!("--train-last {last}"));
        }
        let mut boards = [Board::NucleoF446re, Board::Pico, Board::Pico2].into_iter();
        if let Some(board) = boards.find(|board| Self { board: *board, ..self.clone() }.check_fit().is_ok()) {
            helps.push(format!("--board {}", board.name()));
        }
        if helps.is_empty() {
            "no option helps: take a smaller network".to_owned()
        } else {
            format!("enough would be {}", helps.join(", or "))
        }
    }

    /// The same, starting from trained parameters: those of the network, in its order.
    ///
    /// # Errors
    /// Parameters that are not those of the network, or that do not fit the board's flash.
    pub fn trained(self, values: Vec<Vec<f32>>) -> Result<Self, ProjectError> {
        let model = Model::new(self.network.clone(), values)?;
        let plan = Self { trained: Some(model), ..self };
        let help = "take a smaller network, or a larger board".to_owned();
        plan.check_fit().map(|()| plan.clone()).map_err(|problem| problem.error(plan.board, help))
    }

    fn check_goal(&self) -> Result<(), ProjectError> {
        let output = self.network.output();
        let no = |problem: String| Err(ProjectError::Goal(problem));
        if self.budget.parts.iter().all(|part| part.parameters == 0) {
            return no("no layer of the network learns: add one with parameters, such as dense(10)".into());
        }
        if self.goal == Goal::CrossEntropy && (output.axes().len() != 1 || output.count() < 2) {
            return no(format!(
                "the network gives {output}, but cross-entropy needs a vector of two classes or more: end it with dense(CLASSES), or \
                 take --loss mean-squared-error"
            ));
        }
        if frame::longest(self.numbers()) > LONGEST_FRAME {
            let most = frame::room(LONGEST_FRAME);
            return no(format!(
                "a sample has {} numbers, but a message on the line has at most {most}",
                self.numbers()
            ));
        }
        Ok(())
    }

    fn check_fit(&self) -> Result<(), Unfit> {
        let parts = self.board.parts();
        let is_emulated = self.board == Board::Qemu;
        // The emulated board has its flash in RAM.
        let [flash_in_ram, checkpoints] = if is_emulated { [self.checkpoints(), 0] } else { [0, self.checkpoints()] };
        let ram = self.budget.ram() + self.frames() + STACK + flash_in_ram;
        if ram > parts.ram {
            return Err(Unfit::Memory("RAM", ram, parts.ram));
        }
        let costs = Costs::recorded();
        let Some(board) = crate::budget::Board::named(parts.budget) else { return Ok(()) };
        let trained = if self.trained.is_some() { self.budget.parameters() } else { 0 };
        let flash = costs.flash(&self.budget, board.core) + trained + DRIVERS + checkpoints;
        if flash > parts.flash {
            return Err(Unfit::Memory("flash", flash, parts.flash));
        }
        let time = costs.seconds(&self.budget, board.core, board.clock);
        let seconds = time.prediction + time.step;
        if seconds > LONGEST_STEP && !is_emulated { Err(Unfit::Slow(seconds)) } else { Ok(()) }
    }

    /// Numbers of the longest message.
    pub(super) fn numbers(&self) -> usize {
        let outputs = self.network.output().count();
        let targets = if self.goal == Goal::CrossEntropy { 0 } else { outputs };
        (self.network.input().count() + targets).max(outputs)
    }

    /// Bytes of the line's buffers: a request, an answer, a refusal, and what is known of them.
    pub(super) fn frames(&self) -> usize {
        2 * frame::longest(self.numbers()) + frame::longest(0) + 64
    }

    /// Bytes of both slots of checkpoints, in whole sectors.
    pub(super) fn checkpoints(&self) -> usize {
        let (sector, least) = self.board.parts().slot;
        2 * self.budget.checkpoint().next_multiple_of(sector).max(least)
    }

    /// Where the frozen body ends, if there is one.
    pub(super) fn split(&self) -> Option<(Network, Network)> {
        let prefix = self.budget.prefix();
        let stages = self.network.stages();
        let part = |stages: &[crate::network::Stage]| {
            let input = stages.first()?.input.clone();
            Network::new(input, stages.iter().map(|stage| stage.layer.clone())).ok()
        };
        if prefix == 0 { None } else { Some((part(&stages[..prefix])?, part(&stages[prefix..])?)) }
    }
}

/// Bytes of the longest message that the host's end takes.
const LONGEST_FRAME: usize = 1 << 16;

/// The network without the softmax that cross-entropy has in it.
fn without_softmax(network: &Network, goal: Goal) -> (Network, bool) {
    let stages = network.stages();
    let last = stages.last().map(|stage| &stage.layer);
    let is_one = matches!(last, Some(Layer::Activation(Activation::Softmax | Activation::LogSoftmax)));
    if goal != Goal::CrossEntropy || !is_one || stages.len() < 2 {
        return (network.clone(), false);
    }
    let layers = stages.iter().take(stages.len() - 1).map(|stage| stage.layer.clone());
    // A beginning of a network is one.
    Network::new(network.input().clone(), layers).map_or_else(|_| (network.clone(), false), |shorter| (shorter, true))
}
