//! Files that are written as a whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::ReportError;

/// Writes files of the given names and contents to `directory`, which is made if missing; returns their paths.
pub(super) fn write_files(directory: &Path, files: &[(&str, &[u8])]) -> Result<Vec<PathBuf>, ReportError> {
    make_directory(directory)?;
    let mut finished = Vec::new();
    for (name, content) in files {
        let path = directory.join(name);
        let file = temporary_file(directory, content).map_err(|reason| write_error(&path, reason))?;
        finished.push((path, file));
    }
    // All are complete under other names by now: what remains is to rename them.
    let mut written: Vec<PathBuf> = Vec::new();
    for (path, file) in finished {
        if let Err(error) = file.persist(&path) {
            // Half of a report is worse than none; that a file cannot be removed is not worth hiding the first error.
            written.iter().for_each(|path| drop(fs::remove_file(path)));
            return Err(write_error(&path, error.error));
        }
        written.push(path);
    }
    Ok(written)
}

fn make_directory(directory: &Path) -> Result<(), ReportError> {
    if directory.exists() && !directory.is_dir() {
        return Err(ReportError::NotADirectory { path: directory.to_owned() });
    }
    fs::create_dir_all(directory).map_err(|reason| ReportError::MakeDirectory { path: directory.to_owned(), reason })
}

/// A complete file that vanishes again unless it is given a lasting name.
fn temporary_file(directory: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    make_readable(&mut builder);
    let mut file = builder.tempfile_in(directory)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// A temporary file is its owner's secret, a report is as readable as the user's other files.
#[cfg(unix)]
fn make_readable(builder: &mut tempfile::Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn make_readable(_: &mut tempfile::Builder<'_, '_>) {}

fn write_error(path: &Path, reason: io::Error) -> ReportError {
    ReportError::WriteFile { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &[u8]); 2] = [("a", b"first"), ("b", b"second")];

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_directory_is_made_and_holds_the_files_alone() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("of").join("runs");
        let paths = write_files(&directory, &FILES).unwrap();
        assert_eq!(paths, [directory.join("a"), directory.join("b")]);
        assert_eq!(names(&directory), ["a", "b"]);
        assert_eq!(fs::read(&paths[1]).unwrap(), b"second");
    }

    #[test]
    fn older_files_are_replaced() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("a"), "a much longer text than the new one").unwrap();
        write_files(place.path(), &FILES).unwrap();
        assert_eq!(fs::read(place.path().join("a")).unwrap(), b"first");
    }

    #[test]
    fn a_file_in_place_of_the_directory_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "kept").unwrap();
        let error = write_files(&file, &FILES).unwrap_err();
        assert!(matches!(&error, ReportError::NotADirectory { path } if *path == file));
        assert!(error.to_string().contains(file.to_str().unwrap()));
        assert!(matches!(write_files(&file.join("below"), &FILES), Err(ReportError::MakeDirectory { .. })));
        assert_eq!(fs::read(&file).unwrap(), b"kept");
    }

    #[test]
    fn a_failure_leaves_no_file() {
        let place = tempfile::tempdir().unwrap();
        let obstacle = place.path().join("b");
        fs::create_dir(&obstacle).unwrap();
        let error = write_files(place.path(), &FILES).unwrap_err();
        assert!(matches!(error, ReportError::WriteFile { path, .. } if path == obstacle));
        assert_eq!(names(place.path()), ["b"]);
    }
}
