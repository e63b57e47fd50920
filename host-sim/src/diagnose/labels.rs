//! Are the labels balanced, and do they fit the samples?

use std::collections::HashMap;

use backpass::Pass;
use serde_json::json;

use super::{Check, Sample, Verdict, list, percent, short, some};
use crate::network::model::{Loss, Model, Target};

/// So many nearest neighbours are asked.
const NEIGHBOURS: usize = 5;

/// So many samples are compared with so many others: a second or two.
const MOST_COMPARED: usize = 3000;

pub(super) fn balance(samples: &[Sample], classes: usize) -> Check {
    let mut counts = vec![0_usize; classes];
    samples.iter().for_each(|sample| counts[sample.class] += 1);
    let (least, most) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    let missing: Vec<usize> = (0..classes).filter(|class| counts[*class] == 0).collect();
    let ratio = most as f64 / least.max(1) as f64;
    let verdict = match ratio {
        _ if ratio > 20.0 => Verdict::Problem,
        _ if ratio > 4.0 || !missing.is_empty() => Verdict::Warning,
        _ => Verdict::Ok,
    };
    let mut finding = format!("the classes have {least} to {most} samples");
    if !missing.is_empty() {
        finding += &format!("; class {} has none", list(&missing));
        if missing == [0] {
            finding += " (classes count from 0)";
        }
    }
    // Each class weighs as much as the others, and the mean weight is 1.
    let weights: Vec<f64> =
        counts.iter().map(|count| samples.len() as f64 / (classes * (*count).max(1)) as f64).collect();
    let written = weights.iter().take(8).map(|weight| short(*weight)).collect::<Vec<_>>().join(", ");
    let more = if weights.len() > 8 { ", .." } else { "" };
    let advice = format!(
        "collect more of the rare classes, or let each class count the same: CrossEntropy.weights([{written}{more}]), or a replay \
         memory that is ClassBalanced; judge by the recall of each class, not by accuracy: always saying the largest class is right \
         {} of the time",
        percent(most as f64 / samples.len() as f64)
    );
    let figures = json!({ "counts": counts, "ratio": ratio, "weights": weights });
    Check::new("class balance", verdict, finding, &advice, figures)
}

pub(super) fn contradictions(samples: &[Sample]) -> Check {
    let mut places: HashMap<Vec<u64>, Vec<&Sample>> = HashMap::new();
    for sample in samples {
        // Zero is zero, whatever its sign.
        let key = sample.x.iter().map(|x| (x + 0.0).to_bits()).collect();
        places.entry(key).or_default().push(sample);
    }
    let differ = |group: &&Vec<&Sample>| group.iter().any(|sample| sample.class != group[0].class);
    let mut lines: Vec<usize> = places.values().filter(differ).flatten().map(|sample| sample.line).collect();
    lines.sort_unstable();
    let repeated: usize = places.values().map(|group| group.len() - 1).sum();
    let share = lines.len() as f64 / samples.len() as f64;
    let verdict = match lines.len() {
        0 => Verdict::Ok,
        _ if share > 0.05 => Verdict::Problem,
        _ => Verdict::Warning,
    };
    let finding = match lines.len() {
        0 => format!("no two equal samples have different labels ({repeated} samples are repeated)"),
        count => {
            format!("{count} samples ({}) are equal to one with another label: rows {}", percent(share), list(&lines))
        }
    };
    let advice = "the same input cannot be two classes: correct the labels, or add a feature that tells them apart";
    let figures = json!({ "count": lines.len(), "share": share, "rows": lines, "repeated": repeated });
    Check::new("contradictions", verdict, finding, advice, figures)
}

/// Labels against those of the nearest neighbours, and against what was learned.
pub(super) fn noise(samples: &[Sample], classes: usize, trained: &Model, progress: &mut dyn FnMut(usize)) -> Check {
    let scales = scales(samples);
    let compared = some(samples, MOST_COMPARED);
    let (mut outvoted, mut suspects) = (0_usize, Vec::new());
    for (done, sample) in compared.iter().enumerate() {
        let votes = votes(sample, &compared, &scales, classes);
        let most = votes.iter().copied().max().unwrap_or(0);
        outvoted += usize::from(votes[sample.class] < most);
        if votes[sample.class] == 0 && most == NEIGHBOURS.min(compared.len() - 1) {
            suspects.push((loss(trained, sample), sample.line));
        }
        progress(done + 1);
    }
    // Those whose loss stayed highest first.
    suspects.sort_by(|a, b| b.0.total_cmp(&a.0));
    let lines: Vec<usize> = suspects.iter().map(|(_, line)| *line).collect();
    let count = compared.len() as f64;
    let (share, outvoted) = (lines.len() as f64 / count, outvoted as f64 / count);
    let stubborn =
        some(samples, MOST_COMPARED).into_iter().filter(|sample| loss(trained, sample) > 3.0).count() as f64 / count;
    let mut counts = vec![0.0; classes];
    compared.iter().for_each(|sample| counts[sample.class] += 1.0 / count);
    // How often a label differs from another one drawn at random.
    let chance = 1.0 - counts.iter().map(|share| share * share).sum::<f64>();
    let unrelated = outvoted > 0.75 * chance;
    let verdict = if unrelated || share > 0.1 {
        Verdict::Problem
    } else if share > 0.015 || outvoted > 0.4 * chance {
        Verdict::Warning
    } else {
        Verdict::Ok
    };
    let mut finding = format!(
        "{} of the labels are outvoted by the {NEIGHBOURS} nearest samples, {} unanimously; the loss stays above 3 for {}",
        percent(outvoted),
        percent(share),
        percent(stubborn)
    );
    if unrelated {
        finding += "; labels look hardly related to the inputs";
    }
    if verdict != Verdict::Ok && !lines.is_empty() {
        finding += &format!(". Most suspicious are rows {}", list(&lines));
    }
    let advice = if unrelated {
        "check that labels and samples belong together (an offset by a row, a sort, a wrong column); if they do, the features do not \
         show the class: add others"
    } else {
        "look at the rows named and correct their labels; where classes overlap, add features that tell them apart; \
         CrossEntropy.label_smoothing(0.1) softens what is left"
    };
    let figures = json!({
        "outvoted": outvoted, "unanimous": share, "chance": chance, "high_loss": stubborn, "rows": lines,
    });
    Check::new("label noise", verdict, finding, advice, figures)
}

fn loss(model: &Model, sample: &Sample) -> f64 {
    Loss::CrossEntropy.value(model.forward(&sample.x, Pass::Predicting).output(), &Target::Class(sample.class))
}

/// What each column's distances are divided by. Columns that hardly vary are not blown up.
fn scales(samples: &[Sample]) -> Vec<f64> {
    let (features, count) = (samples[0].x.len(), samples.len() as f64);
    let variance = |at: usize| {
        let mean = samples.iter().map(|sample| sample.x[at]).sum::<f64>() / count;
        samples.iter().map(|sample| (sample.x[at] - mean).powi(2)).sum::<f64>() / count
    };
    let deviations: Vec<f64> = (0..features).map(|at| variance(at).sqrt()).collect();
    let mut sorted = deviations.clone();
    sorted.sort_by(f64::total_cmp);
    let usual = sorted[features / 2];
    deviations.into_iter().map(|deviation| deviation.max(usual.min(deviation * 1e3)).max(f64::MIN_POSITIVE)).collect()
}

/// How many of the nearest neighbours are of each class.
fn votes(sample: &Sample, others: &[&Sample], scales: &[f64], classes: usize) -> Vec<usize> {
    let mut nearest: Vec<(f64, usize)> = Vec::with_capacity(NEIGHBOURS + 1);
    for other in others.iter().filter(|other| other.line != sample.line) {
        let limit = nearest.get(NEIGHBOURS - 1).map_or(f64::INFINITY, |(distance, _)| *distance);
        let mut distance = 0.0;
        for ((a, b), scale) in sample.x.iter().zip(&other.x).zip(scales) {
            distance += ((a - b) / scale).powi(2);
            if distance >= limit {
                break;
            }
        }
        if distance < limit {
            let at = nearest.partition_point(|(nearer, _)| *nearer <= distance);
            nearest.insert(at, (distance, other.class));
            nearest.truncate(NEIGHBOURS);
        }
    }
    let mut votes = vec![0; classes];
    nearest.into_iter().for_each(|(_, class)| votes[class] += 1);
    votes
}
