//! Builds a workload's image and reads its sizes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object::{Object, ObjectSection, SectionFlags};

use tempfile::TempPath;

use super::{BenchError, Board, Workload};
use crate::board::{BoardError, image};

/// How an image is optimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OptLevel {
    /// `opt-level = 3`: for speed.
    #[value(name = "3")]
    Speed,
    /// `opt-level = "s"`: for size.
    #[value(name = "s")]
    Size,
}

impl OptLevel {
    /// As `Cargo.toml` writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Speed => "3",
            Self::Size => "s",
        }
    }
}

/// A workload's image.
#[derive(Debug, Clone)]
pub struct Image {
    /// The ELF file.
    pub path: PathBuf,
    /// Its bytes.
    pub elf: Vec<u8>,
    /// The file is a copy that goes with the last image, so that another one can be built in the same folder.
    _copy: Option<Arc<TempPath>>,
}

impl Image {
    /// Builds the image of a workload in the firmware's `folder`. Each core has a target folder of its own, because cores
    /// share targets but not the compiler's flags.
    ///
    /// # Errors
    /// A target that is missing, or what cargo said.
    pub fn build(workload: &Workload, board: Board, opt: OptLevel, folder: &Path) -> Result<Self, BenchError> {
        if !folder.join("Cargo.toml").is_file() {
            return Err(BoardError::FirmwareMissing { path: folder.to_owned() }.into());
        }
        let Board { target, cpu, .. } = board;
        image::check_target_of(target)?;
        let output = folder.join("target").join(format!("{cpu}-{}", opt.name()));
        let mut cargo = image::command("cargo");
        cargo.current_dir(folder).args(["build", "--quiet", "--release", "--target", target]);
        cargo.arg("--target-dir").arg(&output);
        // Joined to the flags of the folder's own configuration; the compiler takes the last `target-cpu`.
        cargo.arg("--config").arg(format!("target.'{target}'.rustflags=[\"-C\", \"target-cpu={cpu}\"]"));
        let level = if opt == OptLevel::Speed { "3" } else { "\"s\"" };
        cargo.arg("--config").arg(format!("profile.release.opt-level={level}"));
        cargo.env("BACKPASS_WORKLOAD", workload.path);
        let built = cargo.output().map_err(|source| BoardError::Start { program: "cargo".to_owned(), source })?;
        if !built.status.success() {
            let output = String::from_utf8_lossy(&built.stderr).trim().to_owned();
            return Err(BoardError::Build { target, output }.into());
        }
        let built = Self::read(output.join(target).join("release/backpass-bench"))?;
        let cannot = |source| BenchError::Unreadable { path: built.path.clone(), source };
        let mut copy = tempfile::NamedTempFile::new().map_err(cannot)?;
        copy.write_all(&built.elf).map_err(cannot)?;
        let copy = copy.into_temp_path();
        Ok(Self { path: copy.to_path_buf(), _copy: Some(Arc::new(copy)), elf: built.elf })
    }

    /// Reads an image.
    ///
    /// # Errors
    /// [`BenchError::Unreadable`].
    pub fn read(path: PathBuf) -> Result<Self, BenchError> {
        let elf = std::fs::read(&path).map_err(|source| BenchError::Unreadable { path: path.clone(), source })?;
        Ok(Self { path, elf, _copy: None })
    }

    /// Bytes in flash: what is loaded and not written to, and what fills `.data` at the start.
    ///
    /// # Errors
    /// [`BenchError::NotElf`].
    pub fn text_bytes(&self) -> Result<u64, BenchError> {
        let file = self.parse()?;
        let allocated = u64::from(object::elf::SHF_ALLOC);
        let in_flash = |section: &object::Section<'_, '_>| {
            let SectionFlags::Elf { sh_flags } = section.flags() else { return false };
            // .bss is allocated too, but has no bytes in the file.
            sh_flags & allocated != 0 && section.file_range().is_some()
        };
        Ok(file.sections().filter(in_flash).map(|section| section.size()).sum())
    }

    /// The parsed file.
    ///
    /// # Errors
    /// [`BenchError::NotElf`].
    pub fn parse(&self) -> Result<object::File<'_>, BenchError> {
        object::File::parse(self.elf.as_slice())
            .map_err(|error| BenchError::NotElf { path: self.path.clone(), reason: error.to_string() })
    }
}

/// The version of the compiler of images.
///
/// # Errors
/// [`BoardError::Start`] if there is none.
pub fn compiler() -> Result<String, BenchError> {
    let output = image::command("rustc")
        .arg("--version")
        .output()
        .map_err(|source| BoardError::Start { program: "rustc".to_owned(), source })?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
