//! Projects that `new` writes: they build without a warning, and in QEMU they learn over the serial line the bits that the learner has on
//! this computer, with a frozen body too.
//!
//! Where QEMU or a Rust target is missing, a test is reported as ignored and says why; with `BACKPASS_REQUIRE_QEMU=1` it fails instead.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use backpass::{
    Adam, Conv1d, CrossEntropy, Dense, Flatten, Learner, MaxPool, MeanSquaredError, Memory, Relu, Rng, Sgd, Signal,
    Tanh, Vector,
};
use backpass_app::parameters_crc32;
use backpass_sim::board::{self, Machine};
use backpass_sim::budget::Choice;
use backpass_sim::link::Client;
use backpass_sim::network::{Network, Rule};
use backpass_sim::project::{self, Board, Goal, Origin, Plan, ProjectError};
use libtest_mimic::{Arguments, Failed, Trial};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const LINE: &str = "3x20 conv1d(8,5) relu maxpool(2) dense(16) relu dense(4)";
/// The seed of a project.
const SEED: u64 = 1;

fn main() -> ExitCode {
    let required = std::env::var("BACKPASS_REQUIRE_QEMU").is_ok_and(|value| value == "1");
    let ignored = |what: &str, obstacle: Option<String>| {
        if let (Some(reason), false) = (&obstacle, required) {
            eprintln!("skipped: {what}: {reason}");
        }
        obstacle.is_some() && !required
    };
    let qemu = board::check(Machine::Mps2An386).err().map(|error| error.to_string());
    let no_qemu = ignored("projects in QEMU", qemu);
    let python = Command::new("python3").arg("--version").output().err().map(|error| format!("python3: {error}"));
    let no_python = python.is_some();
    if let Some(reason) = python {
        eprintln!("skipped: feed.py: {reason}");
    }
    let target = Board::MicrobitV2.target();
    let no_target =
        ignored("a project for a board", board::check_target_of(target).err().map(|error| error.to_string()));
    let test = |name: &str, run: fn() -> Result<()>| Trial::test(name, move || run().map_err(Failed::from));
    let trials = vec![
        test("a_project_learns_in_qemu_what_the_learner_learns_here", whole).with_ignored_flag(no_qemu),
        test("a_project_with_a_frozen_body_learns_its_head_in_qemu", frozen).with_ignored_flag(no_qemu),
        test("a_project_of_trained_parameters_begins_with_them", trained).with_ignored_flag(no_qemu),
        test("feed_py_teaches_the_board", fed).with_ignored_flag(no_qemu || no_python),
        test("a_project_for_a_microbit_builds", microbit).with_ignored_flag(no_target),
        test("every_board_has_its_files", every_board),
        test("what_cannot_be_a_project_is_refused", refusals),
    ];
    let mut arguments = Arguments::from_args();
    // Builds share a folder.
    arguments.test_threads.get_or_insert(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("projects").join(name)
}

fn plan(name: &str, board: Board, line: &str, choice: Choice, goal: Goal) -> std::result::Result<Plan, ProjectError> {
    let network = Network::from_line(line).expect("a network");
    Plan::new(name, board, &network, choice, goal, Origin::own())
}

fn adam(train_last: Option<usize>) -> Choice {
    Choice { rule: Rule::Adam, train_last, bias_only: false }
}

/// Writes a project and builds it; a warning is an error.
fn build(plan: &Plan, target_folder: &Path) -> Result<PathBuf> {
    let folder = folder(&plan.name);
    project::write(plan, &folder, true)?;
    let main = folder.join("src/main.rs");
    fs::write(&main, fs::read_to_string(&main)?.replace("#![no_std]", "#![deny(warnings)]\n#![no_std]"))?;
    Ok(board::build_project(&folder, &plan.name, plan.board.target(), target_folder)?)
}

/// An emulator that ends with the test.
struct Emulator {
    child: Child,
    words: mpsc::Receiver<String>,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Emulator {
    /// Runs the image as the project's `cargo run` does, but for the port.
    fn start(project: &Path, image: &Path) -> Result<(Self, TcpStream)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let configuration = fs::read_to_string(project.join(".cargo/config.toml"))?;
        let runner = configuration.split_once("runner = [").and_then(|(_, rest)| rest.split_once(']'));
        let words: Vec<_> = runner.ok_or("no runner")?.0.split('"').skip(1).step_by(2).collect();
        let (program, arguments) = words.split_first().ok_or("an empty runner")?;
        let mut qemu = Command::new(program);
        for argument in arguments {
            qemu.arg(argument.replace("port=3333,server=on,wait=off", &format!("port={port}")));
        }
        let mut child = qemu.arg(image).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (sender, words) = mpsc::channel();
        let (stdout, stderr) = (child.stdout.take().ok_or("no output")?, child.stderr.take().ok_or("no errors")?);
        for lines in [Box::new(BufReader::new(stdout)) as Box<dyn BufRead + Send>, Box::new(BufReader::new(stderr))] {
            let sender = sender.clone();
            thread::spawn(move || lines.lines().map_while(|line| line.ok()).try_for_each(|line| sender.send(line)));
        }
        let emulator = Self { child, words };
        listener.set_nonblocking(true)?;
        let end = Instant::now() + Duration::from_secs(20);
        let line = loop {
            match listener.accept() {
                Ok((line, _)) => break line,
                Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(10)),
                Err(error) => return Err(error.into()),
            }
        };
        line.set_nonblocking(false)?;
        line.set_nodelay(true)?;
        Ok((emulator, line))
    }

    /// What it says until it is ready.
    fn until_ready(&self) -> Result<String> {
        let mut said = String::new();
        while !said.contains("ready") {
            said += &self
                .words
                .recv_timeout(Duration::from_secs(60))
                .map_err(|_| format!("it said no more than: {said}"))?;
            said.push('\n');
        }
        Ok(said)
    }
}

/// Samples of four classes: the signs of the means of two channels.
fn samples(count: usize) -> Vec<(Signal<20, 3>, usize)> {
    let mut rng = Rng::new(7);
    let sign = |is_so: bool| if is_so { 1.0 } else { -1.0 };
    (0..count)
        .map(|index| {
            let means = [sign(index % 2 == 0), sign(index % 4 < 2), 0.0];
            (std::array::from_fn(|_| means.map(|mean| mean + rng.symmetric(0.5))), index % 4)
        })
        .collect()
}

fn target_folder() -> PathBuf {
    folder("target")
}

fn whole() -> Result<()> {
    type Net = (Conv1d<Signal<16, 8>, 5>, Relu, MaxPool<Signal<8, 8>, 2>, Flatten<64>, Dense<16>, Relu, Dense<4>);
    let plan = plan("whole", Board::Qemu, LINE, adam(None), Goal::CrossEntropy)?;
    assert_eq!(plan.budget.ram(), size_of::<Memory<Net, Signal<20, 3>, Adam>>());
    let image = build(&plan, &target_folder())?;
    let (emulator, line) = Emulator::start(&folder("whole"), &image)?;
    let said = emulator.until_ready()?;
    assert!(said.contains("it learns") && said.contains("Fresh"), "{said}");

    let mut client = Client::connect(line)?;
    client.set_patience(Duration::from_secs(2), 20);
    let mut memory = Memory::<Net, Signal<20, 3>, Adam>::new();
    let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, Adam::new(0.005));
    learner.initialize(SEED);
    assert_eq!(client.status()?.0, parameters_crc32(learner.params()), "first weights");
    let mut losses = Vec::new();
    for (sample, class) in samples(120) {
        let loss = client.train(sample.as_flattened(), u32::try_from(class)?)?.loss;
        assert_eq!(loss.to_bits(), learner.train(&sample, &class)?.to_bits());
        losses.push(loss);
    }
    assert_eq!(client.status()?.0, parameters_crc32(learner.params()), "learned weights");
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    assert!(mean(&losses[100..]) < 0.5 * mean(&losses[..20]), "{losses:?}");
    client.save()?;
    client.reset(9)?;
    assert_eq!(client.load()?, parameters_crc32(learner.params()), "saved weights");
    Ok(())
}

fn frozen() -> Result<()> {
    // Every kind of parameters in flash.
    let line = "3x20 conv1d(8,5,bias=no) batchnorm relu residual(conv1d(8,3,padding=same)) residual(relu conv1d(8,3) | conv1d(8,3)) \
         gru(6,sequence) layernorm lstm(5,bias=no) dense(16) relu dense(4)";
    let plan = plan("frozen", Board::Qemu, line, adam(Some(2)), Goal::CrossEntropy)?;
    let image = build(&plan, &target_folder())?;
    let (emulator, line) = Emulator::start(&folder("frozen"), &image)?;
    let said = emulator.until_ready()?;
    assert!(said.contains("it learns"), "{said}");
    let mut client = Client::connect(line)?;
    client.set_patience(Duration::from_secs(2), 20);
    // Of the head alone.
    assert_eq!(client.hello().all().parameters, 5 * 16 + 16 + 16 * 4 + 4);
    let losses: Vec<f32> = samples(400)
        .iter()
        .map(|(sample, class)| Ok(client.train(sample.as_flattened(), u32::try_from(*class)?)?.loss))
        .collect::<Result<_>>()?;
    let mean = |losses: &[f32]| losses.iter().sum::<f32>() / losses.len() as f32;
    assert!(mean(&losses[360..]) < 0.8 * mean(&losses[..40]), "{losses:?}");
    Ok(())
}

/// The project's own program at the other end of the line.
fn fed() -> Result<()> {
    let plan = plan("fed", Board::Qemu, LINE, adam(None), Goal::CrossEntropy)?;
    let (project, image) = (folder("fed"), build(&plan, &target_folder())?);
    let (emulator, line) = Emulator::start(&project, &image)?;
    emulator.until_ready()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?.to_string();
    // The emulator called here; the program calls the emulator.
    thread::spawn(move || -> std::io::Result<()> {
        let (mut host, mut board) = (listener.accept()?.0, line);
        host.set_nodelay(true)?;
        let (mut from_host, mut to_board) = (host.try_clone()?, board.try_clone()?);
        thread::spawn(move || std::io::copy(&mut from_host, &mut to_board));
        std::io::copy(&mut board, &mut host).map(|_| ())
    });
    let rows = samples(200).iter().fold("a,row,of,words\n".to_owned(), |rows, (sample, class)| {
        let cells: Vec<_> = sample.as_flattened().iter().map(ToString::to_string).collect();
        rows + &cells.join(",") + &format!(",{class}\n")
    });
    fs::write(project.join("mine.csv"), rows)?;
    let output = Command::new("python3").args(["feed.py", &address, "mine.csv"]).current_dir(&project).output()?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("saved"), "{said}");
    let right: Vec<f32> =
        said.lines().filter_map(|line| line.strip_suffix(" % right")?.rsplit(' ').next()?.parse().ok()).collect();
    assert!(right.len() == 4 && right[3] >= 90.0, "{said}");
    Ok(())
}

/// Numbers instead of classes, and parameters from elsewhere.
fn trained() -> Result<()> {
    type Net = (Dense<5>, Tanh, Dense<3>);
    let mut memory = Memory::<Net, Vector<4>, Sgd>::new();
    let mut learner = Learner::new(&mut memory, Net::default(), MeanSquaredError, Sgd::new(0.01));
    learner.initialize(77);
    let mut values = Vec::new();
    backpass::Params::visit(learner.params(), None, &mut |_, array| values.push(array.to_vec()));
    let choice = Choice { rule: Rule::Sgd, ..Choice::default() };
    let plan = plan("trained", Board::Qemu, "4 dense(5) tanh dense(3)", choice, Goal::MeanSquaredError)?;
    let image = build(&plan.trained(values)?, &target_folder())?;
    let (emulator, line) = Emulator::start(&folder("trained"), &image)?;
    let said = emulator.until_ready()?;
    assert!(said.contains("it learns") && said.contains("Resumed"), "{said}");
    let mut client = Client::connect(line)?;
    client.set_patience(Duration::from_secs(2), 20);
    assert_eq!(client.status()?.0, parameters_crc32(learner.params()));
    let sample = [0.5, -1.0, 0.25, 2.0];
    let (_, outputs) = client.predict(&sample)?;
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&outputs), bits(learner.predict(&sample)));
    Ok(())
}

fn microbit() -> Result<()> {
    let plan = plan("on-a-microbit", Board::MicrobitV2, LINE, adam(Some(1)), Goal::CrossEntropy)?;
    // Where the boards' own images are built: most of it is the same.
    let image = build(&plan, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/boards"))?;
    assert!(fs::metadata(image)?.len() > 0);
    Ok(())
}

fn every_board() -> Result<()> {
    for board in Board::ALL {
        for (train_last, goal) in [(None, Goal::CrossEntropy), (Some(1), Goal::MeanSquaredError)] {
            let plan = plan("some-name", board, LINE, adam(train_last), goal)?;
            let files = project::files(&plan)?;
            for file in &files {
                assert!(!file.text.contains("{{"), "{} of {}: {}", file.path.display(), board.name(), file.text);
            }
            let has = |path: &str| files.iter().any(|file| file.path == Path::new(path));
            for path in ["Cargo.toml", "memory.x", ".cargo/config.toml", "build.rs", "README.md", "src/main.rs"] {
                assert!(has(path), "{path} of {}", board.name());
            }
            assert_eq!(has("src/weights.rs"), train_last.is_some());
        }
    }
    Ok(())
}

fn refusals() -> Result<()> {
    let network = |name: &str, board, line: &str| plan(name, board, line, adam(None), Goal::CrossEntropy);
    for name in ["", "2x", "fn", "a b", "backpass", "../x", "é", "test", "cortex-m"] {
        assert!(matches!(network(name, Board::Qemu, LINE), Err(ProjectError::Name { .. })), "{name}");
    }
    let error = network("big", Board::MicrobitV2, "640 dense(64) relu dense(10)").expect_err("too large").to_string();
    assert!(error.contains("RAM") && error.contains("--train-last 1"), "{error}");
    let convolutions = "conv2d(8,3,padding=same) relu ".repeat(3);
    let slow = network("slow", Board::Pico, &format!("1x40x40 {convolutions}globalaveragepool dense(4)"));
    assert!(matches!(slow, Err(ProjectError::TooSlow { .. })), "{slow:?}");
    assert!(network("one", Board::Qemu, "4 dense(1)").is_err() && network("none", Board::Qemu, "4 relu").is_err());
    let softmax = network("soft", Board::Qemu, "4 dense(3) softmax")?;
    assert!(softmax.without_softmax && softmax.network.to_string() == "4 dense(3)");

    let folder = folder("not-empty");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("mine"), "mine")?;
    let plan = network("fits", Board::Qemu, LINE)?;
    assert!(matches!(project::write(&plan, &folder, false), Err(ProjectError::NotEmpty { .. })));
    assert_eq!(fs::read_dir(&folder)?.count(), 1);
    project::write(&plan, &folder, true)?;
    assert_eq!(fs::read_to_string(folder.join("mine"))?, "mine");
    fs::remove_dir_all(&folder)?;
    Ok(())
}
