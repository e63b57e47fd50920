//! The report of a training run: a page to read and an image of its learning curves.

mod axis;
mod chart;
mod draw;
mod graph;
mod html;
mod image;
mod live;
mod matrix;
mod output;
mod step;
mod sweep;
mod text;

use std::io;
use std::path::{Path, PathBuf};

use chart::Chart;
pub use live::{LiveReport, StreamChart, StreamCurve};
pub use sweep::{RateReport, SweepReport};

/// How the network stood after one epoch.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct EpochSummary {
    /// The number of the epoch, from 1.
    pub epoch: u32,
    /// The mean loss over the training samples, in the unit of the loss function.
    pub training_loss: f32,
    /// The mean loss over the test samples, in the unit of the loss function.
    pub test_loss: f32,
    /// The share of test samples that were classified rightly, 0 to 1.
    pub test_accuracy: f32,
}

/// What there is to say about a training run, and the writer of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TrainingReport {
    /// The heading, for instance the task and the sizes of the layers.
    pub title: String,
    /// Names and values of the settings, in the order to print them.
    pub settings: Vec<(String, String)>,
    /// The epochs, in the order they were run.
    pub epochs: Vec<EpochSummary>,
    /// The number of test samples by their true class (row) and predicted class (column).
    pub confusion: Vec<Vec<u32>>,
    /// Names and sizes in bytes of the parts of the RAM that training takes; their sum is the total.
    pub memory: Vec<(String, usize)>,
    /// The mean time of one training step on the host, in microseconds.
    pub microseconds_per_step: f64,
}

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The path of the directory belongs to something else.
    #[error("`{}` is not a directory: remove it or have the report written to another place", path.display())]
    NotADirectory {
        /// The path in question.
        path: PathBuf,
    },
    /// The directory is missing and cannot be made.
    #[error("cannot make the directory `{}` ({reason}): make it by hand or name one that you may write to", path.display())]
    MakeDirectory {
        /// The directory in question.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// A file of the report cannot be written.
    #[error("cannot write `{}` ({reason}): check that you may write there and that the disk is not full", path.display())]
    WriteFile {
        /// The file in question.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// The learning curves cannot be drawn.
    #[error("cannot draw the learning curves ({reason}): this is a defect of the report, please tell its authors")]
    Draw {
        /// What the drawing library said.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl TrainingReport {
    /// Writes `report.html` and `learning-curve.png` to `directory`, which is made if missing; returns their paths.
    ///
    /// # Errors
    ///
    /// [`ReportError`] if the charts cannot be drawn or a file cannot be written. No unfinished file is left then.
    pub fn write(&self, directory: &Path) -> Result<Vec<PathBuf>, ReportError> {
        let (html, png) = (self.html()?, self.png()?);
        output::write_files(directory, &[("report.html", html.as_bytes()), ("learning-curve.png", &png)])
    }

    /// The report as a page that needs no other file.
    ///
    /// # Errors
    ///
    /// [`ReportError::Draw`] if the charts cannot be drawn.
    pub fn html(&self) -> Result<String, ReportError> {
        let charts = self.charts().iter().map(image::svg).collect::<Result<String, _>>();
        Ok(html::page(self, &charts.map_err(|reason| ReportError::Draw { reason })?))
    }

    /// The learning curves as the bytes of a PNG file, 1200 by 480 pixels.
    ///
    /// # Errors
    ///
    /// [`ReportError::Draw`] if the charts cannot be drawn.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        image::png(&self.charts()).map_err(|reason| ReportError::Draw { reason })
    }

    fn charts(&self) -> [Chart; 2] {
        [Chart::of_losses(&self.epochs), Chart::of_accuracy(&self.epochs)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_report_is_two_complete_files() {
        let epoch = |epoch| EpochSummary { epoch, training_loss: 0.5, test_loss: 0.25, test_accuracy: 0.75 };
        let report = TrainingReport {
            title: "Digits".into(),
            settings: Vec::new(),
            epochs: (1..=3).map(epoch).collect(),
            confusion: vec![vec![3, 1], vec![0, 4]],
            memory: vec![("parameters".into(), 9640)],
            microseconds_per_step: 12.5,
        };
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("run");
        let paths = report.write(&directory).unwrap();
        assert_eq!(paths, [directory.join("report.html"), directory.join("learning-curve.png")]);
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 2);
        assert_eq!(std::fs::read_to_string(&paths[0]).unwrap(), report.html().unwrap());
        let png = std::fs::read(&paths[1]).unwrap();
        // Signature, then the length and name of the header, then width and height.
        assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
        assert_eq!((&png[16..20], &png[20..24]), (&1200_u32.to_be_bytes()[..], &480_u32.to_be_bytes()[..]));
    }
}
