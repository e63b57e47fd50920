//! `budget`: what a network needs, and which microcontroller has it.

use std::error::Error;
use std::process::ExitCode;

use backpass_app::{anomaly, digits, gesture};
use backpass_sim::budget::savings::{Saving, savings};
use backpass_sim::budget::{BOARDS, Board, Budget, Choice, Costs, Fit, Learns};
use backpass_sim::network::{Network, Rule, Stage};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::rules;
use super::screen::{Screen, thousands};

/// Options of `budget`.
#[derive(Debug, Args)]
#[command(after_help = "\
RAM of training is exact: it is size_of::<Memory<Net, Input, Rule>>(), which a program can assert. The stack is an allowance above what
`reliability stack` measures. Code and time are estimates: they are put together from what `bench` has recorded of each layer, loss and
rule alone. Cycles are those of a Cortex-M4F whose memory has no wait states; cores without an FPU are taken to need 1.5 cycles an
instruction. The loss is cross-entropy, or the mean squared error where the output is as long as the sample.

A network is a sample's shape, channels first (64, 3x100 for 3 channels and 100 steps, 1x28x28), and layers: dense, conv1d, conv2d,
depthwise, maxpool, averagepool, globalmaxpool, globalaveragepool, flatten, dropout, batchnorm, layernorm, prelu, rnn, gru, lstm, and activations;
residual(LAYERS) adds what its layers give to what they take, residual(LAYERS | LAYERS) what both give.

The exit code is 0; 1 if the network does not fit the board of --board; 2 if something was wrong.

Examples:
  backpass-sim budget --network \"3x100 conv1d(8,5) relu maxpool(2) dense(16) relu dense(4)\" --optimizer adam
  backpass-sim budget --network \"3x32x32 conv2d(8,3,2,padding=same) relu residual(conv2d(8,3,padding=same)) relu globalaveragepool dense(10)\"
  backpass-sim budget --network \"64 dense(32) relu dense(10)\" --in-place --board microbit-v1
  backpass-sim budget --application gesture --train-last 1 --json")]
pub(crate) struct BudgetCommand {
    #[command(flatten)]
    source: Source,
    /// Rule by which it learns [default: sgd; that of the application]
    #[arg(long, value_name = "RULE", value_parser = rules(Rule::has_gradients))]
    optimizer: Option<Rule>,
    /// Plain descent of one sample a step without a gradient array
    #[arg(long, conflicts_with = "optimizer")]
    in_place: bool,
    /// Only the last N layers that have parameters learn; those before are frozen, in flash
    #[arg(long, value_name = "N")]
    train_last: Option<usize>,
    /// Dense layers and convolutions learn their bias alone: weights, and recurrent layers, lie in flash
    #[arg(long)]
    bias_only: bool,
    /// Exit with 1 if the network does not fit this board of the table
    #[arg(long, value_name = "NAME", value_parser = board)]
    board: Option<Board>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// Network as a line; see below
    #[arg(long, value_name = "LINE")]
    network: Option<String>,
    /// Network of an application of this project, with all that the application remembers
    #[arg(long, value_enum)]
    application: Option<Application>,
}

/// The applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Application {
    /// 64-32-10 on handwritten digits.
    Digits,
    /// Four movements, six channels.
    Gesture,
    /// What is normal, six channels.
    Anomaly,
}

fn board(name: &str) -> Result<Board, String> {
    Board::named(name).ok_or_else(|| {
        let names: Vec<_> = BOARDS.iter().map(|board| board.name).collect();
        format!("there is no such board; there are {}", names.join(", "))
    })
}

impl Application {
    /// The layers, the rule, and bytes of RAM beside the memory of training.
    fn parts(self) -> Result<(Vec<Network>, Rule, usize), Box<dyn Error>> {
        let (lines, rule, application): (&[&str], _, _) = match self {
            Self::Digits => (&["64 dense(32) relu dense(10)"], Rule::Momentum, 4 * digits::TRAINING),
            Self::Gesture => (
                &["6x32 conv1d(8,5,2,padding=same) relu conv1d(16,3,2,padding=same) relu globalaveragepool dense(4)"],
                Rule::Adam,
                size_of::<gesture::Ram<6, 4, gesture::Window6>>(),
            ),
            // The decoder sees a vector as a signal of 4 channels.
            Self::Anomaly => (
                &[
                    "6x32 conv1d(8,5,2,padding=same) relu conv1d(8,5,2,padding=same) relu dense(12) tanh dense(128) relu",
                    "4x32 conv1d(6,5,padding=same)",
                ],
                Rule::Adam,
                size_of::<anomaly::Ram<6, anomaly::Window6>>(),
            ),
        };
        let networks = lines.iter().map(|line| Network::from_line(line)).collect::<Result<Vec<_>, _>>()?;
        Ok((networks, rule, application))
    }
}

impl BudgetCommand {
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let costs = Costs::recorded();
        let budget = self.budget()?;
        let fits: Vec<_> = BOARDS.iter().map(|board| Fit::new(&budget, *board, &costs)).collect();
        let savings = savings(&budget, &costs);
        let asked = self.board.map(|board| Fit::new(&budget, board, &costs));
        let screen = Screen::new(self.json);
        if self.json {
            screen.json(&object(&budget, &costs, &fits, &savings, asked.as_ref()));
        } else {
            for line in parts(&budget, &costs).into_iter().chain(boards(&fits)).chain(saving_lines(&savings)) {
                screen.line(line);
            }
            for line in asked.iter().flat_map(|fit| verdict(fit, &savings, &costs)) {
                screen.line(line);
            }
        }
        Ok(ExitCode::from(u8::from(asked.is_some_and(|fit| !fit.fits()))))
    }

    fn budget(&self) -> Result<Budget, Box<dyn Error>> {
        let (networks, rule, application) = match (&self.source.network, self.source.application) {
            (Some(line), _) => (vec![Network::from_line(line)?], Rule::Sgd, 0),
            (None, Some(application)) => application.parts()?,
            (None, None) => return Err("give a --network or an --application".into()),
        };
        let rule = if self.in_place { Rule::InPlace } else { self.optimizer.unwrap_or(rule) };
        let choice = Choice { rule, train_last: self.train_last, bias_only: self.bias_only };
        let input = networks.first().ok_or("no network")?.input().clone();
        let stages: Vec<Stage> = networks.iter().flat_map(|network| network.stages().to_vec()).collect();
        let mut budget = Budget::of_stages(&input, &stages, choice)?;
        if let Some(of) = self.source.application {
            budget.application = if of == Application::Digits {
                application
            } else {
                // The memory of training is a part of it, as the application has it.
                let whole = Choice { rule: Rule::Adam, ..Choice::default() };
                application - Budget::of_stages(&input, &stages, whole)?.ram()
            };
        }
        Ok(budget)
    }
}

/// How it learns, in words.
fn words(choice: Choice) -> String {
    let what = match (choice.train_last, choice.bias_only) {
        (None, false) => "all layers learn".to_owned(),
        (None, true) => "biases learn".to_owned(),
        (Some(last), false) => format!("the last {last} with parameters learn, the others are frozen"),
        (Some(last), true) => format!("the biases of the last {last} with parameters learn"),
    };
    format!("{}; {what}", choice.rule)
}

fn line(name: &str, cells: [&str; 6]) -> String {
    let [output, parameters, gradients, moments, activations, multiply_adds] = cells;
    format!(
        "{name:<34} {output:>10} {parameters:>11} {gradients:>11} {moments:>11} {activations:>11} {multiply_adds:>14}"
    )
}

/// The table of parts.
fn parts(budget: &Budget, costs: &Costs) -> Vec<String> {
    let number = |bytes: usize| if bytes == 0 { "-".to_owned() } else { thousands(bytes) };
    let mut lines = vec![
        format!("RAM of training in bytes ({})", words(budget.choice())),
        line("layer", ["output", "parameters", "gradients", "moments", "activations", "multiply-adds"]),
    ];
    let mut row = |name: &str, output: String, bytes: [usize; 4], multiply_adds: usize| {
        let [parameters, gradients, moments, activations] = bytes.map(number);
        let cells = [&output, &parameters, &gradients, &moments, &activations, &number(multiply_adds)];
        lines.push(line(name, cells.map(String::as_str)));
    };
    row("(sample)", budget.input.to_string(), [0, 0, 0, budget.sample()], 0);
    for (part, node) in budget.parts.iter().zip(budget.nodes()) {
        let mark = match part.learns {
            Learns::Bias => " bias only",
            Learns::Nothing | Learns::Prefix if part.frozen > 0 => " frozen",
            _ => "",
        };
        let bytes = [part.parameters, part.gradients, part.moments, part.activations];
        // As in the line, a bar stands before a projection.
        let indent = "  ".repeat(node.depth) + if node.begins_projection { "| " } else { "" };
        row(&format!("{indent}{}{mark}", part.layer), part.output.to_string(), bytes, part.multiply_adds);
    }
    if budget.buffer > 0 {
        row("(two buffers of the frozen layers)", String::new(), [0, 0, 0, budget.buffers()], 0);
    }
    let all = [budget.parameters(), budget.gradients(), budget.moments(), budget.activations()];
    row("sum", String::new(), all, budget.parts.iter().map(|part| part.multiply_adds).sum());
    let mut entry = |name: &str, bytes: usize, about: &str| {
        lines.push(format!("{name:<24} {:>11}  {about}", thousands(bytes)));
    };
    entry("counters", budget.counters(), "of samples, bounds of magnitudes, and of the rule");
    let rule = budget.choice().rule.type_name();
    entry("RAM of training", budget.ram(), &format!("size_of::<Memory<Net, Input, {rule}>>(), exact"));
    if budget.application > 0 {
        entry("application", budget.application, "what else it keeps in statics, such as remembered samples");
    }
    entry("stack", budget.stack(), "allowance: what `reliability stack` lets an operation of such a network have");
    entry("RAM in all", budget.ram_with_stack(), "and what drivers and your program need");
    let core = backpass_sim::bench::Core::M4f;
    entry(
        "code",
        costs.code(budget, core),
        "estimate for a Cortex-M4F; drivers and log come on top, 20 to 60 KB on the boards here",
    );
    entry("frozen parameters", budget.frozen(), "in flash");
    entry(
        "checkpoints",
        2 * budget.checkpoint(),
        "in flash, if what was learned is to outlast a reset: two, in whole sectors",
    );
    lines
}

fn milliseconds(seconds: f64) -> String {
    let value = 1e3 * seconds;
    match value {
        _ if value >= 99.5 => thousands(value.round() as usize),
        _ if value >= 9.95 => format!("{value:.0}"),
        _ if value >= 0.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The table of boards.
fn boards(fits: &[Fit]) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        "Which microcontroller (code and milliseconds are estimates)".to_owned(),
        format!(
            "{:<15} {:<15} {:<11} {:>5} {:>7} {:>9}   {:<26} {:>10} {:>10}",
            "board", "chip", "core", "MHz", "RAM KB", "flash KB", "fits", "step ms", "predict ms"
        ),
    ];
    lines.extend(fits.iter().map(|fit| {
        let Board { name, chip, clock, ram, flash, .. } = fit.board;
        format!(
            "{name:<15} {chip:<15} {:<11} {:>5} {:>7} {:>9}   {:<26} {:>10} {:>10}",
            fit.board.core_name(),
            clock / 1_000_000,
            ram >> 10,
            flash >> 10,
            answer(fit),
            milliseconds(fit.time.step),
            milliseconds(fit.time.prediction)
        )
    }));
    lines
}

fn answer(fit: &Fit) -> String {
    match (fit.ram_missing, fit.flash_missing) {
        (0, 0) => "yes".to_owned(),
        (ram, 0) => format!("no: {} B of RAM", thousands(ram)),
        (0, flash) => format!("no: {} B of flash", thousands(flash)),
        (ram, flash) => format!("no: {} B, {} B", thousands(ram), thousands(flash)),
    }
}

fn saving_lines(savings: &[Saving]) -> Vec<String> {
    let mut lines = vec![String::new(), "What would save".to_owned()];
    if savings.is_empty() {
        lines.push("  nothing: what is here learns with as little as it can".to_owned());
        return lines;
    }
    let step = "step";
    lines.push(format!("  {:<22} {:>12} {:>12} {:>12} {step:>7}  ", "option", "saves RAM", "leaves RAM", "adds flash"));
    lines.extend(savings.iter().map(|saving| {
        let Saving { option, about, ram, saved, flash, step, .. } = saving;
        let (saved, ram, flash) = (thousands(*saved), thousands(*ram), thousands(*flash));
        format!("  {option:<22} {saved:>12} {ram:>12} {flash:>12} {:>6.0}%  {about}", 100.0 * step)
    }));
    lines
}

/// Whether it fits the board that was asked for, and what would help.
fn verdict(fit: &Fit, savings: &[Saving], costs: &Costs) -> Vec<String> {
    let board = fit.board;
    if fit.fits() {
        return vec![String::new(), format!("It fits {}.", board.name)];
    }
    let helps = savings.iter().filter(|saving| Fit::new(&saving.budget, board, costs).fits());
    let helps: Vec<_> = helps.map(|saving| saving.option.as_str()).collect();
    let missing = match (fit.ram_missing, fit.flash_missing) {
        (ram, 0) => format!("{} bytes of RAM are missing", thousands(ram)),
        (0, flash) => format!("about {} bytes of flash are missing", thousands(flash)),
        (ram, flash) => format!("{} bytes of RAM and about {} of flash are missing", thousands(ram), thousands(flash)),
    };
    let helps = if helps.is_empty() {
        "none of the options above is enough: take a smaller network, or a larger board".to_owned()
    } else {
        format!("enough would be {}", helps.join(", or "))
    };
    vec![String::new(), format!("It does not fit {}: {missing}; {helps}.", board.name)]
}

fn fit_object(fit: &Fit) -> Value {
    let Board { name, chip, clock, ram, flash, .. } = fit.board;
    json!({
        "board": name,
        "chip": chip,
        "core": fit.board.core_name(),
        "clock_hz": clock,
        "ram_bytes": ram,
        "flash_bytes": flash,
        "fits": fit.fits(),
        "ram_missing_bytes": fit.ram_missing,
        "flash_missing_bytes": fit.flash_missing,
        "step_seconds_estimate": fit.time.step,
        "prediction_seconds_estimate": fit.time.prediction,
    })
}

fn object(budget: &Budget, costs: &Costs, fits: &[Fit], savings: &[Saving], asked: Option<&Fit>) -> Value {
    let layers: Vec<_> = budget.parts.iter().zip(budget.nodes()).map(|(part, node)| {
        json!({
            "layer": part.layer,
            "depth": node.depth,
            "output": part.output.to_string(),
            "learns": match part.learns { Learns::All => "all", Learns::Bias => "bias", Learns::Nothing | Learns::Prefix => "nothing" },
            "parameters_bytes": part.parameters,
            "frozen_bytes": part.frozen,
            "gradients_bytes": part.gradients,
            "moments_bytes": part.moments,
            "activations_bytes": part.activations,
            "multiply_adds": part.multiply_adds,
        })
    }).collect();
    let savings: Vec<_> = savings
        .iter()
        .map(|saving| {
            let fits = BOARDS.iter().filter(|board| Fit::new(&saving.budget, **board, costs).fits());
            json!({
                "option": saving.option,
                "ram_bytes": saving.ram,
                "saved_bytes": saving.saved,
                "added_flash_bytes": saving.flash,
                "step_share": saving.step,
                "fits": fits.map(|board| board.name).collect::<Vec<_>>(),
            })
        })
        .collect();
    let cycles = costs.cycles_of(budget);
    json!({
        "input": budget.input.to_string(),
        "rule": budget.choice().rule.type_name(),
        "ram": {
            "parameters_bytes": budget.parameters(),
            "gradients_bytes": budget.gradients(),
            "moments_bytes": budget.moments(),
            "activations_bytes": budget.activations(),
            "counters_bytes": budget.counters(),
            "training_bytes": budget.ram(),
            "application_bytes": budget.application,
            "stack_allowance_bytes": budget.stack(),
            "total_bytes": budget.ram_with_stack(),
        },
        "flash": {
            "code_bytes_estimate": costs.code(budget, backpass_sim::bench::Core::M4f),
            "frozen_bytes": budget.frozen(),
            "checkpoints_bytes": 2 * budget.checkpoint(),
        },
        "cycles_m4f_estimate": { "step": cycles.step, "prediction": cycles.prediction },
        "layers": layers,
        "boards": fits.iter().map(fit_object).collect::<Vec<_>>(),
        "savings": savings,
        "board": asked.map(fit_object),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applications_are_the_networks_that_boards_run() {
        let budget = |application| {
            let source = Source { network: None, application: Some(application) };
            let options = BudgetCommand {
                source,
                optimizer: None,
                in_place: false,
                train_last: None,
                bias_only: false,
                board: None,
                json: false,
            };
            options.budget().unwrap()
        };
        let gesture = budget(Application::Gesture);
        let whole = size_of::<gesture::Ram<6, 4, gesture::Window6>>();
        assert_eq!(gesture.ram() + gesture.application, whole);
        type Gesture = backpass::Memory<gesture::Network<4>, gesture::Input<6>, backpass::Adam>;
        assert_eq!(gesture.ram(), size_of::<Gesture>());
        let anomaly = budget(Application::Anomaly);
        type Anomaly = backpass::Memory<anomaly::Network<6>, anomaly::Input<6>, backpass::Adam>;
        assert_eq!(anomaly.ram(), size_of::<Anomaly>());
        assert_eq!(anomaly.ram() + anomaly.application, size_of::<anomaly::Ram<6, anomaly::Window6>>());
        assert_eq!(budget(Application::Digits).ram(), size_of::<digits::Ram<{ digits::HIDDEN }>>());
    }

    #[test]
    fn milliseconds_have_two_digits_at_least() {
        assert_eq!([0.000_123, 0.0012, 0.0123, 12.3].map(milliseconds), ["0.12", "1.2", "12", "12,300"]);
    }
}
