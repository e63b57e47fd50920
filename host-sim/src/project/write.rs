//! Fills the templates and writes them.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Board, Goal, Plan, ProjectError, weights};
use crate::budget::Costs;
use crate::formats::{Model, source};
use crate::network::{Network, Rule, Shape};

/// The seed of a frozen body that has no trained weights yet.
const SEED: u64 = 1;

macro_rules! common {
    ($file:literal) => {
        include_str!(concat!("../../templates/common/", $file))
    };
}

/// A file of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it lies in the project's folder.
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// What stands for what in the templates.
struct Values(Vec<(&'static str, String)>);

impl Values {
    fn fill(&self, template: &str) -> String {
        self.0.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
    }
}

/// The files of a project.
///
/// # Errors
/// [`ProjectError::NoCheckout`], or [`ProjectError::Weights`].
pub fn files(plan: &Plan) -> Result<Vec<File>, ProjectError> {
    let parts = plan.board.parts();
    let values = values(plan)?;
    let mut files = Vec::new();
    let mut add = |path: &str, text: String| files.push(File { path: path.into(), text });
    let manifest = values.fill(common!("Cargo.toml")).replace("{{dependencies}}", &values.fill(parts.dependencies));
    add("Cargo.toml", manifest);
    add("Cargo.lock", parts.lock.to_owned());
    add("build.rs", values.fill(common!("build.rs")));
    add("memory.x", values.fill(parts.memory));
    add(".cargo/config.toml", parts.config.to_owned());
    add(".gitignore", common!("gitignore").to_owned());
    add("README.md", values.fill(common!("README.md")));
    add("feed.py", values.fill(common!("feed.py")));
    add(
        "src/main.rs",
        values.fill(common!("main.rs")) + &values.fill(plan.trained.as_ref().map_or("", |_| common!("begin.rs"))),
    );
    add("src/board.rs", values.fill(parts.source));
    if let Some(text) = parts.flash_source {
        add("src/flash.rs", text.to_owned());
    }
    add("src/network.rs", values.fill(common!("network.rs")));
    let (body, head) = plan.split().map_or((None, plan.network.clone()), |(body, head)| (Some(body), head));
    let frozen = body.as_ref().map_or(0, |body| body.parameters().len());
    if let Some(body) = body {
        let (values, origin) = match &plan.trained {
            Some(model) => (model.values()[..frozen].to_vec(), "a trained model"),
            None => (weights::random(&body, SEED), "random numbers, until trained ones are put here"),
        };
        add("src/weights.rs", source::write(&Model::new(body, values)?, origin));
    }
    if let Some(model) = &plan.trained {
        add("src/trained.rs", source::write(&Model::new(head, model.values()[frozen..].to_vec())?, "a trained model"));
    }
    Ok(files)
}

/// The rule and its usual learning rate.
const fn rule(rule: Rule) -> &'static str {
    match rule {
        Rule::Sgd | Rule::InPlace => "Sgd::new(0.01)",
        Rule::Momentum => "Momentum::new(0.01, 0.9)",
        Rule::Nesterov => "Momentum::new(0.01, 0.9).nesterov()",
        Rule::RmsProp => "RmsProp::new(0.001)",
        Rule::MomentumRmsProp => "RmsProp::new(0.001).momentum(0.9)",
        Rule::CenteredRmsProp => "RmsProp::new(0.001).centered()",
        Rule::CenteredMomentumRmsProp => "RmsProp::new(0.001).centered().momentum(0.9)",
        Rule::Adagrad => "Adagrad::new(0.01)",
        Rule::Adadelta => "Adadelta::new(1.0)",
        Rule::Adam => "Adam::new(0.005)",
        Rule::AmsGrad => "AmsGrad::new(0.005)",
        Rule::Lion => "Lion::new(0.0005)",
        Rule::Lars => "Lars::new(0.01)",
    }
}

/// The types of the network, a constant of it, and the names that both use.
fn network(plan: &Plan) -> (String, String, Vec<&'static str>) {
    // What came with its values is a module of its own.
    let learns = |network: &Network| match &plan.trained {
        Some(_) => ("trained::Network".to_owned(), "trained::NETWORK".to_owned(), Vec::new()),
        None => (network.rust_type(), network.rust_value(), network.rust_names()),
    };
    let Some((_, head)) = plan.split() else {
        let (of, value, names) = learns(&plan.network);
        return (format!("/// The network.\npub type Net = {of};"), value, names);
    };
    let (of, value, names) = learns(&head);
    let types = format!(
        "/// The layers that do not learn; their weights lie in flash.\npub type Body = weights::Network;\n\
         /// The layers that learn.\npub type Head = {of};\n\
         /// The network.\npub type Net = (FrozenPrefix<Body, Input, {}>, Head);",
        plan.budget.buffer
    );
    let value = format!("(FrozenPrefix::new(weights::NETWORK, &weights::PARAMETERS), {value})");
    (types, value, [names, vec!["FrozenPrefix"]].concat())
}

fn values(plan: &Plan) -> Result<Values, ProjectError> {
    let parts = plan.board.parts();
    let (inputs, outputs) = (plan.network.input(), plan.network.output());
    let (types, value, mut names) = network(plan);
    names.extend(["Vector", "Signal", "Image"]);
    let classes = plan.goal == Goal::CrossEntropy;
    let output = if classes { String::new() } else { outputs.rust_type() };
    let used = [&types, &value, &inputs.rust_type(), &output].map(String::as_str).join(" ");
    names.retain(|name| used.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == *name));
    names.extend(["Memory", "Rng", "Tensor", plan.goal.name(), plan.choice.rule.type_name()]);
    names.extend(rule(plan.choice.rule).split("::").next());
    let (targets, target_values) = if classes {
        let count = outputs.count().min(8);
        (count, format!("[{}]", (0..count).map(|class| class.to_string()).collect::<Vec<_>>().join(", ")))
    } else {
        names.push("Zero");
        (1, "[<Output as Zero>::ZERO]".to_owned())
    };
    names.sort_unstable();
    names.dedup();
    let kilobytes = |bytes: usize| (bytes >> 10).to_string();
    let (is_frozen, is_trained) = (plan.split().is_some(), plan.trained.is_some());
    let text = |is_so: bool, text: &str| if is_so { text.to_owned() } else { String::new() };
    let modules = text(parts.flash_source.is_some(), "mod flash;\n");
    let weights_words = "\n`src/weights.rs` has random weights, as a learner draws them: features that do not learn, but that the head can learn from. With those of\n\
                         a network that was trained elsewhere it is a pretrained one; only the head then adapts to what the board sees.\n";
    let feed = format!("python3 feed.py {} mine.csv", parts.line);
    let chip = parts.chip.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let everywhere = vec![
        ("board_type", common!("board.rs").to_owned()),
        ("name", plan.name.clone()),
        ("line", plan.network.to_string()),
        ("backpass", plan.origin.dependency("core")?),
        ("backpass-app", plan.origin.dependency("firmware/app")?),
        ("link_arguments", parts.link_arguments.to_owned()),
        ("names", names.join(", ")),
        ("input", inputs.rust_type()),
        (
            "output_type",
            if classes {
                String::new()
            } else {
                format!("/// What the network gives.\npub type Output = {};\n", outputs.rust_type())
            },
        ),
        ("modules", modules),
        ("trained_module", text(is_trained, "mod trained;\n")),
        ("weights_module", text(is_frozen, "mod weights;\n")),
        (
            "weights_import",
            match (is_trained, is_frozen) {
                (false, false) => "",
                (true, false) => "\nuse crate::trained;\n",
                (false, true) => "\nuse crate::weights;\n",
                (true, true) => "\nuse crate::{trained, weights};\n",
            }
            .to_owned(),
        ),
        ("begin_imports", text(is_trained, "use backpass::checkpoint::Store;\n")),
        ("flash_import", text(is_trained, "use embedded_storage::nor_flash::NorFlash;\n")),
        ("begin_call", text(is_trained, "    begin(&mut learner, &mut store);\n")),
        (
            "assign",
            if is_frozen {
                "learner.params_mut().1 = trained::PARAMETERS"
            } else {
                "*learner.params_mut() = trained::PARAMETERS"
            }
            .to_owned(),
        ),
        ("order_words", order_words(inputs)),
        ("types", types),
        ("value", value),
        ("goal", plan.goal.name().to_owned()),
        ("target", if classes { "usize" } else { "Output" }.to_owned()),
        ("rule", plan.choice.rule.type_name().to_owned()),
        ("rule_value", rule(plan.choice.rule).to_owned()),
        ("ram", plan.budget.ram().to_string()),
        ("numbers", plan.numbers().to_string()),
        ("check_steps", check_steps(plan, targets).to_string()),
        ("targets", targets.to_string()),
        ("target_values", target_values),
        ("checkpoints", plan.checkpoints().to_string()),
        ("checkpoints_kilobytes", kilobytes(plan.checkpoints())),
        ("stack", super::STACK.to_string()),
        ("stack_kilobytes", kilobytes(super::STACK)),
        ("board_ram", parts.ram.to_string()),
        ("frames", plan.frames().to_string()),
        ("board_title", parts.title.to_owned()),
        ("run_words", parts.run.to_owned()),
        ("feed_command", feed),
        ("setup", parts.setup.trim_end().to_owned()),
        ("inputs", inputs.count().to_string()),
        ("outputs", outputs.count().to_string()),
        ("is_class", if classes { "True" } else { "False" }.to_owned()),
        ("is_board", if plan.board == Board::Qemu { "False" } else { "True" }.to_owned()),
        (
            "label_words",
            if classes {
                format!("its class, 0 to {}", outputs.count() - 1)
            } else {
                format!("the {} numbers that it is to give", outputs.count())
            },
        ),
        (
            "weights_row",
            text(is_frozen, "| `src/weights.rs` | the parameters of the frozen layers |\n")
                + &text(is_trained, "| `src/trained.rs` | the parameters that learning starts from |\n"),
        ),
        ("weights_words", text(is_frozen && !is_trained, weights_words)),
    ];
    Ok(Values(everywhere.into_iter().chain(chip).collect()))
}

/// The order of a sample's numbers.
fn order_words(input: &Shape) -> String {
    match input.axes() {
        [_] => String::new(),
        [steps, channels] => format!(" ({steps} steps of {channels} channels, one step after another)"),
        axes => {
            let [rows, columns, channels] = [0, 1, 2].map(|axis| axes.get(axis).copied().unwrap_or(1));
            format!(" ({rows} rows of {columns} pixels of {channels} channels, one pixel after another)")
        }
    }
}

/// Steps of the check at switch-on: about a second of them, by the estimate.
fn check_steps(plan: &Plan, targets: usize) -> u32 {
    let board = crate::budget::Board::named(plan.board.parts().budget);
    let step = board.map_or(0.0, |board| Costs::recorded().seconds(&plan.budget, board.core, board.clock).step);
    (1.0 / (step * targets as f64)).clamp(2.0, 50.0) as u32
}

/// Writes a project into a folder, which is made if it is not there. Returns the files' paths.
///
/// # Errors
/// [`ProjectError::NotEmpty`] unless forced, [`ProjectError::Write`], or as [`files`].
pub fn write(plan: &Plan, folder: &Path, force: bool) -> Result<Vec<PathBuf>, ProjectError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| ProjectError::Write { path, source }
    };
    let files = files(plan)?;
    if folder.exists() {
        let mut entries = fs::read_dir(folder).map_err(at(folder))?;
        if entries.next().is_some() && !force {
            return Err(ProjectError::NotEmpty { path: folder.to_owned() });
        }
    }
    let mut written = Vec::new();
    for File { path, text } in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(at(parent))?;
        fs::write(&path, text).map_err(at(&path))?;
        written.push(path);
    }
    Ok(written)
}
