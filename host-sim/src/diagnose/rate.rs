//! The learning rate, by a range test: the same short training at rates over six decades.

use serde_json::json;

use super::training::Trainer;
use super::{Check, Verdict, short};
use crate::network::model::Model;

/// Rates from 1e-5 to 10, three of them (1, 2, 5) a decade.
fn rates() -> impl Iterator<Item = f64> {
    // Written as decimal numbers, so that they are the ones people write.
    let decade = |power: i32| [1, 2, 5].map(|digit| format!("{digit}e{power}").parse().unwrap_or(f64::NAN));
    (-5..=0).flat_map(decade).chain([10.0])
}

/// Updates at each rate.
const UPDATES: usize = 150;

pub(super) fn range_test(
    trainer: &Trainer<'_>,
    fresh: &Model,
    classes: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Check {
    let rate = trainer.plan.rate;
    let mut tried: Vec<f64> = rates().chain([rate]).collect();
    tried.sort_by(f64::total_cmp);
    tried.dedup();
    let updates = UPDATES.min(trainer.plan.updates);
    let mut losses = Vec::new();
    for rate in &tried {
        let mut model = fresh.clone();
        let finite = trainer.train(&mut model, *rate, updates, &mut |_| ());
        let loss = if finite { trainer.loss(&model) } else { f64::INFINITY };
        losses.push(if loss.is_finite() { loss } else { f64::INFINITY });
        progress(losses.len(), tried.len());
    }
    let guess = guess(trainer, classes);
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    // The share of what can be learned in this time: 1 at the best rate, 0 for one that only knows how frequent each class is.
    let learned = |loss: f64| if loss.is_finite() { (guess - loss) / (guess - best) } else { f64::NEG_INFINITY };
    let place = losses.iter().position(|loss| *loss == best).unwrap_or(0);
    let good: Vec<f64> =
        tried.iter().zip(&losses).filter(|(_, loss)| learned(**loss) >= 0.9).map(|(rate, _)| *rate).collect();
    let own = tried.iter().position(|tried| *tried == rate).map_or(f64::NAN, |at| losses[at]);
    let table: Vec<_> = tried
        .iter()
        .zip(&losses)
        .map(|(rate, loss)| json!({ "rate": rate, "loss": if loss.is_finite() { Some(*loss) } else { None } }))
        .collect();
    let figures = json!({
        "rate": rate, "loss": if own.is_finite() { Some(own) } else { None }, "best_rate": tried[place], "best_loss": best,
        "loss_of_guessing": guess, "updates": updates, "tried": table,
    });
    if !best.is_finite() || guess - best < 0.03 * guess {
        let finding = format!(
            "at no rate from {} to {} does the loss fall below that of guessing ({})",
            tried[0],
            tried[tried.len() - 1],
            short(guess)
        );
        let advice = "no learning rate helps: look at the other findings";
        return Check::new("learning rate", Verdict::Problem, finding, advice, figures);
    }
    let share = learned(own);
    let verdict = match share {
        _ if share >= 0.5 => Verdict::Ok,
        _ if share >= 0.15 => Verdict::Warning,
        _ => Verdict::Problem,
    };
    let said =
        if own.is_finite() { format!("a loss of {}", short(own)) } else { "numbers that are no longer finite".into() };
    let word = match verdict {
        Verdict::Ok => "is good",
        _ if rate > tried[place] => "is too high",
        _ => "is too low",
    };
    let (least, most) = (good.first().copied().unwrap_or(rate), good.last().copied().unwrap_or(rate));
    let finding = format!(
        "{rate} {word}: {updates} updates lead to {said}, at {} to {} (guessing: {}); rates from {least} to {most} do well",
        tried[place],
        short(best),
        short(guess)
    );
    let advice = format!("take a learning rate of {} (good: {least} to {most})", tried[place]);
    Check::new("learning rate", verdict, finding, &advice, figures)
}

/// The loss of one who knows how frequent each class is, and nothing else.
fn guess(trainer: &Trainer<'_>, classes: usize) -> f64 {
    let mut shares = vec![0.0; classes];
    trainer.samples.iter().for_each(|sample| shares[sample.class] += 1.0 / trainer.samples.len() as f64);
    shares.iter().filter(|share| **share > 0.0).map(|share| -share * share.ln()).sum()
}
