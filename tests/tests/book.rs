//! What the book and the main page point to is there: files, headings, tests, drawings.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The chapters, and the main page.
fn pages() -> Vec<(PathBuf, String)> {
    let chapters = fs::read_dir(root().join("docs/src")).expect("the book's folder").map(|entry| entry.unwrap().path());
    chapters
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .chain([root().join("README.md")])
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

/// The page without its blocks of code.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// What stands in the round brackets of each link and picture.
fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
}

/// The anchors that GitHub and mdBook make of a page's headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let letter = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    prose(page)
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')))
        .map(|heading| heading.trim().to_lowercase().replace(' ', "-").chars().filter(|&c| letter(c)).collect())
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for (path, page) in pages() {
        for link in links(&page).into_iter().filter(|link| !link.starts_with("https://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let found = target.exists()
                && (anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap_or_default()).contains(anchor));
            if !found {
                wrong.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn every_chapter_is_in_the_contents_and_its_code_is_tested() {
    let contents = links(&fs::read_to_string(root().join("docs/src/SUMMARY.md")).unwrap());
    let tested = fs::read_to_string(root().join("tests/src/lib.rs")).unwrap();
    let mut chapters = 0;
    for (path, page) in pages().into_iter().filter(|(path, _)| path.parent().unwrap().ends_with("docs/src")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name != "SUMMARY.md" {
            assert!(contents.contains(&name), "{name} is not in SUMMARY.md");
            let is_tested = tested.contains(&format!("\"../../docs/src/{name}\""));
            assert!(is_tested || !page.contains("```rust"), "the code of {name} is not in tests/src/lib.rs");
            chapters += 1;
        }
    }
    assert_eq!(chapters, contents.len());
}

#[test]
fn every_test_that_is_named_exists() {
    let tests = root().join("tests/tests");
    for (path, page) in pages() {
        for command in page.split("cargo test -p backpass-tests").skip(1) {
            let command = command.split(['`', '\n', ';', '#']).next().unwrap_or_default();
            let mut words = command.split_whitespace();
            while let Some(word) = words.next() {
                if word == "--test" {
                    let name = words.next().unwrap_or_default();
                    let exists =
                        tests.join(name).with_extension("rs").exists() || tests.join(name).join("main.rs").exists();
                    assert!(exists, "{}: there is no test {name}", path.display());
                }
            }
        }
    }
}
