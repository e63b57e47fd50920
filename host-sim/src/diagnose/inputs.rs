//! Are the inputs of a size that a network can take?

use serde_json::json;

use super::{Check, Sample, Verdict, list, percent, short};

/// What there is to know of a column.
#[derive(Debug, Clone, Copy)]
struct Column {
    mean: f64,
    deviation: f64,
    smallest: f64,
    largest: f64,
    /// The 5th and the 95th of a hundred.
    low: f64,
    high: f64,
}

impl Column {
    fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
        let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        Self { mean, deviation, smallest: at(0.0), largest: at(1.0), low: at(0.05), high: at(0.95) }
    }

    fn is_constant(&self) -> bool {
        self.smallest == self.largest
    }

    /// What most values span; where most of them are the same, what all of them span.
    fn spread(&self) -> f64 {
        if self.high > self.low { self.high - self.low } else { self.largest - self.smallest }
    }
}

pub(super) fn checks(samples: &[Sample]) -> Vec<Check> {
    let features = samples.first().map_or(0, |sample| sample.x.len());
    let column = |at: usize| Column::new(samples.iter().map(|sample| sample.x[at]).collect());
    let columns: Vec<Column> = (0..features).map(column).collect();
    vec![scale(samples, &columns), ranges(&columns), constants(&columns), outliers(samples, &columns)]
}

/// Which columns are so, counted from 1.
fn which(columns: &[Column], is: impl Fn(&Column) -> bool) -> Vec<usize> {
    columns.iter().zip(1..).filter(|(column, _)| is(column)).map(|(_, number)| number).collect()
}

/// `column 3`, `columns 3, 4`.
fn named(columns: &[usize]) -> String {
    format!("column{} {}", if columns.len() == 1 { "" } else { "s" }, list(columns))
}

fn scale(samples: &[Sample], columns: &[Column]) -> Check {
    let all = || samples.iter().flat_map(|sample| &sample.x).copied();
    let typical = (all().map(|value| value * value).sum::<f64>() / all().count() as f64).sqrt();
    let largest = all().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    let offset = which(columns, |column| {
        !column.is_constant() && column.mean.abs() > 5.0 * column.deviation.max(0.02 * typical)
    });
    let verdict = match typical {
        _ if !(0.003..=30.0).contains(&typical) => Verdict::Problem,
        _ if !(0.03..=3.0).contains(&typical) || !offset.is_empty() => Verdict::Warning,
        _ => Verdict::Ok,
    };
    let mut finding = format!("inputs are typically {} in size, the largest {}", short(typical), short(largest));
    if !offset.is_empty() {
        finding += &format!("; far from 0 for what they vary: {}", named(&offset));
    }
    let advice = format!(
        "bring the inputs to about -1 to 1: divide them by {}, or subtract each column's mean and divide by its deviation \
         (on the board: backpass::stream::StandardScaler)",
        short(largest)
    );
    let figures = json!({
        "root_mean_square": typical,
        "largest": largest,
        "columns_far_from_zero": offset,
        "means": columns.iter().map(|column| column.mean).collect::<Vec<_>>(),
        "deviations": columns.iter().map(|column| column.deviation).collect::<Vec<_>>(),
    });
    Check::new("input scale", verdict, finding, &advice, figures)
}

fn ranges(columns: &[Column]) -> Check {
    let spreads = || columns.iter().filter(|column| !column.is_constant()).map(Column::spread);
    let (least, most) =
        spreads().fold((f64::INFINITY, 0.0_f64), |(least, most), spread| (least.min(spread), most.max(spread)));
    let ratio = if most > 0.0 { most / least } else { 1.0 };
    let verdict = match ratio {
        _ if ratio > 300.0 => Verdict::Problem,
        _ if ratio > 30.0 => Verdict::Warning,
        _ => Verdict::Ok,
    };
    let wide = which(columns, |column| !column.is_constant() && column.spread() >= most / 3.0);
    let finding = if verdict == Verdict::Ok {
        format!("columns differ by a factor of {} in what they span", short(ratio))
    } else {
        format!(
            "columns differ by a factor of {} in what they span: up to {} in {}, only {} in others",
            short(ratio),
            short(most),
            named(&wide),
            short(least)
        )
    };
    let advice = "the wide columns drown the others: subtract each column's mean and divide by its own deviation \
                  (on the board: backpass::stream::StandardScaler)";
    Check::new("column ranges", verdict, finding, advice, json!({ "ratio": ratio, "smallest": least, "largest": most }))
}

fn constants(columns: &[Column]) -> Check {
    let constant = which(columns, Column::is_constant);
    // A column of zeros does nothing, as at the border of images; another constant is a second bias.
    let lasting = which(columns, |column| column.is_constant() && column.mean != 0.0);
    let share = constant.len() as f64 / columns.len().max(1) as f64;
    let verdict = if constant.len() == columns.len() {
        Verdict::Problem
    } else if !lasting.is_empty() || share > 0.1 {
        Verdict::Warning
    } else {
        Verdict::Ok
    };
    let finding = match constant.len() {
        0 => "every column varies".to_owned(),
        count if verdict == Verdict::Ok => format!(
            "{count} of {} columns are always 0 ({}): harmless, but their weights cost RAM",
            columns.len(),
            list(&constant)
        ),
        count => format!("{count} of {} columns never change: {}", columns.len(), named(&constant)),
    };
    let advice = "a column that never changes tells nothing: leave it out, or check the sensor and its wiring";
    Check::new("constant columns", verdict, finding, advice, json!({ "columns": constant }))
}

fn outliers(samples: &[Sample], columns: &[Column]) -> Check {
    let mut spreads: Vec<f64> =
        columns.iter().map(|column| column.high - column.low).filter(|spread| *spread > 0.0).collect();
    spreads.sort_by(f64::total_cmp);
    let usual = spreads.get(spreads.len() / 2).copied();
    // A column that is mostly the same, as a pixel at the border of an image, may vary as much as is usual for the others.
    let reach = |column: &Column| match (column.high - column.low, usual) {
        (spread, Some(usual)) if spread > 0.0 => 3.0 * spread.max(usual.min(30.0 * spread)),
        (_, usual) => usual.map_or(f64::INFINITY, |usual| 3.0 * usual),
    };
    let far = |sample: &Sample| {
        sample.x.iter().zip(columns).any(|(x, column)| {
            let reach = reach(column);
            *x > column.high + reach || *x < column.low - reach
        })
    };
    let lines: Vec<usize> = samples.iter().filter(|sample| far(sample)).map(|sample| sample.line).collect();
    let share = lines.len() as f64 / samples.len() as f64;
    let verdict = match lines.len() {
        0 => Verdict::Ok,
        _ if share > 0.02 => Verdict::Problem,
        _ => Verdict::Warning,
    };
    let finding = match lines.len() {
        0 => "no value lies far outside of its column".to_owned(),
        count => format!(
            "{count} samples ({}) have a value more than three times its column's usual span away from it: rows {}",
            percent(share),
            list(&lines)
        ),
    };
    let advice = "look at these rows; repair or remove them, or limit values to a sensible range: a single one can undo many steps \
                  (clip_norm(1.0) limits what it does)";
    Check::new("outliers", verdict, finding, advice, json!({ "count": lines.len(), "share": share, "rows": lines }))
}
