//! What others cost on the same work: figures that were measured once and are recorded in `bench/peers.json`, with versions.

use serde::Deserialize;

use super::{Core, Row};

/// Another implementation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name and version.
    pub name: String,
    /// How it was measured.
    pub how: String,
    /// What it costs.
    pub figures: Vec<Figures>,
}

/// A peer's figures for a workload; those that were not measured are missing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// The workload's name in the table.
    pub workload: String,
    /// `gradients` or `in-place`; beside both if it is missing.
    pub memory: Option<String>,
    /// Where.
    pub core: Core,
    /// Executed in a training step of one sample.
    pub instructions: Option<u64>,
    /// Modelled for a Cortex-M4F.
    pub cycles: Option<u64>,
    /// All RAM of training.
    pub ram_bytes: Option<u64>,
    /// The whole image.
    pub text_bytes: Option<u64>,
    /// Microseconds of a training step of one sample.
    pub microseconds: Option<f64>,
}

/// The recorded peers.
///
/// # Errors
/// Only if the file that was compiled in is damaged.
pub fn recorded() -> Result<Vec<Peer>, serde_json::Error> {
    serde_json::from_str(include_str!("../../bench/peers.json"))
}

impl Figures {
    /// Whether the figures belong beside a row.
    #[must_use]
    pub fn are_of(&self, row: &Row) -> bool {
        let memory = self.memory.as_ref().is_none_or(|memory| *memory == row.memory);
        memory && self.workload == row.workload && self.core == row.core
    }

    /// The names of the figures, taken as the most that is allowed, which a row exceeds.
    #[must_use]
    pub fn exceeded_by(&self, row: &Row) -> Vec<&'static str> {
        let exceeds = |now: Option<u64>, most: Option<u64>| now.zip(most).is_some_and(|(now, most)| now > most);
        [
            ("instructions", exceeds(row.instructions, self.instructions)),
            ("cycles", exceeds(row.cycles, self.cycles)),
            ("RAM", exceeds(Some(row.ram_bytes), self.ram_bytes)),
            (".text", exceeds(row.text_bytes, self.text_bytes)),
        ]
        .into_iter()
        .filter_map(|(name, exceeds)| exceeds.then_some(name))
        .collect()
    }
}

/// What this library sets itself as the most that a workload may cost, from `bench/targets.json`.
///
/// # Errors
/// Only if the file that was compiled in is damaged.
pub fn targets() -> Result<Vec<Figures>, serde_json::Error> {
    serde_json::from_str(include_str!("../../bench/targets.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{WORKLOADS, Workload, row};

    #[test]
    fn every_figure_belongs_to_a_workload_of_the_table() {
        let peers = recorded().unwrap();
        for figures in peers.iter().flat_map(|peer| &peer.figures).chain(&targets().unwrap()) {
            let is_of = |workload: &Workload| {
                workload.name == figures.workload && figures.memory.as_ref().is_none_or(|m| m == workload.memory)
            };
            assert!(WORKLOADS.iter().any(is_of), "{} {:?}", figures.workload, figures.memory);
            let measured = [figures.instructions, figures.cycles, figures.ram_bytes, figures.text_bytes];
            assert!(measured.iter().any(Option::is_some) || figures.microseconds.is_some());
        }
        assert!(peers.iter().all(|peer| !peer.how.is_empty()));
    }

    #[test]
    fn a_target_is_missed_by_each_figure_above_it() {
        let target = Figures {
            workload: "W1".to_owned(),
            memory: Some("gradients".to_owned()),
            core: Core::M4f,
            instructions: None,
            cycles: Some(100),
            ram_bytes: Some(99),
            text_bytes: Some(1000),
            microseconds: None,
        };
        let now = Row { cycles: Some(101), ..row("W1", Core::M4f, 1) };
        assert_eq!(target.exceeded_by(&now), ["cycles", "RAM"]);
        let in_place = Row { memory: "in-place".to_owned(), ..now.clone() };
        assert!(target.are_of(&now) && !target.are_of(&in_place) && !target.are_of(&row("W1", Core::M7, 1)));
    }
}
