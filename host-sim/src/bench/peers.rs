//! What others cost on the same work: figures that were measured once and are recorded in `bench/peers.json`, with versions.

use serde::Deserialize;

use super::Core;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::WORKLOADS;

    #[test]
    fn every_figure_belongs_to_a_workload_of_the_table() {
        let peers = recorded().unwrap();
        for figures in peers.iter().flat_map(|peer| &peer.figures) {
            assert!(WORKLOADS.iter().any(|workload| workload.name == figures.workload), "{}", figures.workload);
            let measured = [figures.instructions, figures.cycles, figures.ram_bytes, figures.text_bytes];
            assert!(measured.iter().any(Option::is_some) || figures.microseconds.is_some());
        }
        assert!(peers.iter().all(|peer| !peer.how.is_empty()));
    }
}
