//! What cannot work does not compile, and the message says why.
//!
//! The wording of a whole message is the compiler's and changes with its version; the words that matter are ours. So
//! every compiler must refuse each file of `compile_fail` with the words on its `// says:` line, and the compiler that
//! recorded the `.stderr` files, which hold these words, must repeat them to the letter. To record them anew, run this test
//! with `TRYBUILD=overwrite` in the environment, and change [`RECORDED_BY`].

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// The compiler whose messages the `.stderr` files hold.
const RECORDED_BY: &str = "rustc 1.95.";

#[test]
fn every_mistake_is_refused_in_plain_words() {
    let compiler = compiler();
    let sysroot = text(&rustc(&["--print", "sysroot"]).stdout);
    let quotes_the_library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library").exists();
    if compiler.starts_with(RECORDED_BY) && !quotes_the_library {
        println!("{compiler}: comparing whole messages");
        are_as_recorded();
    } else {
        println!(
            "{compiler}: plain words alone are compared; whole messages were recorded by {RECORDED_BY}, and quote the standard library where `rust-src` is installed"
        );
        say_the_plain_words();
    }
}

#[test]
fn recorded_messages_hold_the_plain_words() {
    for case in cases() {
        let recorded = fs::read_to_string(case.with_extension("stderr")).unwrap();
        let words = plain_words(&case);
        assert!(recorded.contains(&words), "{}: `{words}` is not in\n{recorded}", case.display());
    }
}

fn are_as_recorded() {
    let tests = trybuild::TestCases::new();
    // With a file that must pass, files are built and not just checked; the assertions in generic functions need that.
    tests.pass("compile_pass/network.rs");
    tests.compile_fail("compile_fail/*.rs");
}

fn say_the_plain_words() {
    let scratch = Scratch::new();
    let built = scratch.build(&here("compile_pass/network.rs"));
    assert!(built.status.success(), "the right network does not compile:\n{}", text(&built.stderr));
    for case in cases() {
        let words = plain_words(&case);
        let built = scratch.build(&case);
        let message = text(&built.stderr);
        assert!(!built.status.success(), "{} compiles", case.display());
        assert!(message.contains(&words), "{}: `{words}` is not in\n{message}", case.display());
    }
}

/// What the message must say, whatever the compiler adds.
fn plain_words(case: &Path) -> String {
    let source = fs::read_to_string(case).unwrap();
    source.lines().find_map(|line| line.strip_prefix("// says: ")).expect("a line `// says: ...`").to_owned()
}

/// A package of its own, in the target directory, that depends on the library alone.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
        fs::create_dir_all(root.join("src")).unwrap();
        let library = here("../core");
        let manifest = format!(
            "[package]\nname = \"scratch\"\nedition = \"2024\"\n\n[dependencies]\nbackpass = {{ path = {library:?} }}\n\n[workspace]\n"
        );
        fs::write(root.join("Cargo.toml"), manifest).unwrap();
        fs::copy(here("../Cargo.lock"), root.join("Cargo.lock")).unwrap();
        Self(root)
    }

    /// Builds a program of one file.
    fn build(&self, program: &Path) -> Output {
        // Written, not copied, so that the change is seen by its time.
        fs::write(self.0.join("src/main.rs"), fs::read(program).unwrap()).unwrap();
        Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--offline", "--color=never", "--target-dir"])
            .arg(self.0.join("target"))
            .current_dir(&self.0)
            .output()
            .unwrap()
    }
}

/// The files that must not compile.
fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(here("compile_fail")).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect();
    cases.sort();
    assert!(!cases.is_empty());
    cases
}

/// A path relative to this package.
fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn compiler() -> String {
    text(&rustc(&["--version"]).stdout).trim().to_string()
}

fn rustc(arguments: &[&str]) -> Output {
    Command::new(env::var_os("RUSTC").unwrap_or("rustc".into())).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
