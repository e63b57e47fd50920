//! The page: one file without references to any other.

use super::matrix;
use super::text::{decimal, escape, group, microseconds, percent, scrollable};
use super::{EpochSummary, TrainingReport};

const STYLE: &str = include_str!("style.css");

/// The whole page, around the charts that are given as `svg` elements.
pub(super) fn page(report: &TrainingReport, charts: &str) -> String {
    let title = escape(&report.title);
    let sections = [
        section("Result", "", &headline(report)),
        section("Learning curves", "", &format!("<div class=\"curves\">{charts}</div>")),
        section("Confusion matrix", "", &matrix::table(&report.confusion)),
        format!(
            "<div class=\"columns\">{}{}</div>",
            section("Training RAM", "", &memory(&report.memory)),
            section("Settings", "", &settings(&report.settings))
        ),
        section("Epochs", "long", &epochs(&report.epochs)),
    ]
    .concat();
    document("Training report", &title, &sections)
}

/// A page of its own with a heading, whose title is escaped.
pub(super) fn document(kind: &str, title: &str, sections: &str) -> String {
    document_with(kind, title, "", sections)
}

/// The same with more styles.
pub(super) fn document_with(kind: &str, title: &str, style: &str, sections: &str) -> String {
    // The policy makes the browser hold to what the page promises: nothing is loaded from anywhere.
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title}</title><style>\n{STYLE}{style}</style></head>\n\
         <body><main><header><p>{kind}</p><h1>{title}</h1></header>\n{sections}\
         <footer>Written by backpass-sim.</footer></main></body></html>\n"
    )
}

pub(super) fn section(heading: &str, class: &str, content: &str) -> String {
    format!("<section class=\"{class}\"><h2>{heading}</h2>{content}</section>\n")
}

fn headline(report: &TrainingReport) -> String {
    let last = report.epochs.last();
    let (right, all) = matrix::right_and_all(&report.confusion);
    let accuracy = last.map_or("–".into(), |epoch| percent(epoch.test_accuracy));
    let samples =
        if all == 0 { String::new() } else { format!(" <small>{} of {} samples</small>", group(right), group(all)) };
    let loss = last.map_or("–".into(), |epoch| decimal(epoch.test_loss.into()));
    let bytes = format!("{} <small>bytes</small>", group(total(&report.memory)));
    let time = format!("{} <small>µs</small>", microseconds(report.microseconds_per_step));
    let figures: String = [
        ("Test loss", loss),
        ("Epochs", report.epochs.len().to_string()),
        ("Training RAM", bytes),
        ("Host time per step", time),
    ]
    .iter()
    .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>"))
    .collect();
    format!(
        "<dl class=\"figures\"><div class=\"main\"><dt>Test accuracy</dt><dd>{accuracy}{samples}</dd></div>{figures}</dl>"
    )
}

pub(super) fn memory(parts: &[(String, usize)]) -> String {
    let total = total(parts);
    let rows: String = parts.iter().map(|(name, bytes)| memory_row(name, *bytes as u64, total)).collect();
    format!(
        "<table><caption>What training takes, in bytes</caption>\
         <thead><tr><th scope=\"col\">Part</th><th scope=\"col\">Bytes</th><th scope=\"col\">Share</th>\
         <td class=\"bar\"></td></tr></thead>\
         <tbody>{rows}</tbody><tfoot><tr><th scope=\"row\">Total</th><td>{}</td><td></td><td></td></tr></tfoot></table>",
        group(total)
    )
}

fn memory_row(name: &str, bytes: u64, total: u64) -> String {
    let share = if total == 0 { 0.0 } else { bytes as f64 / total as f64 * 100.0 };
    let name = escape(name);
    let bytes = group(bytes);
    format!(
        "<tr><th scope=\"row\">{name}</th><td>{bytes}</td><td>{share:.1}%</td>\
         <td class=\"bar\"><div><i style=\"width:{share:.2}%\"></i></div></td></tr>"
    )
}

pub(super) fn settings(settings: &[(String, String)]) -> String {
    if settings.is_empty() {
        return "<p>no setting was recorded</p>".into();
    }
    let row = |(name, value): &(String, String)| {
        format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escape(name), escape(value))
    };
    let rows: String = settings.iter().map(row).collect();
    format!(
        "<table class=\"words\"><caption>How the network was trained</caption>\
         <thead><tr><th scope=\"col\">Setting</th><th scope=\"col\">Value</th></tr></thead><tbody>{rows}</tbody></table>"
    )
}

fn epochs(epochs: &[EpochSummary]) -> String {
    if epochs.is_empty() {
        return "<p>no epoch was run</p>".into();
    }
    let row = |epoch: &EpochSummary| {
        let (training, test) = (decimal(epoch.training_loss.into()), decimal(epoch.test_loss.into()));
        let accuracy = percent(epoch.test_accuracy);
        format!("<tr><th scope=\"row\">{}</th><td>{training}</td><td>{test}</td><td>{accuracy}</td></tr>", epoch.epoch)
    };
    let rows: String = epochs.iter().map(row).collect();
    let table = format!(
        "<table><caption>Mean losses and accuracy after every epoch</caption><thead><tr><th scope=\"col\">Epoch</th>\
         <th scope=\"col\">Training loss</th><th scope=\"col\">Test loss</th><th scope=\"col\">Test accuracy</th>\
         </tr></thead><tbody>{rows}</tbody></table>"
    );
    scrollable("Epochs", "scroll tall", &table)
}

/// The sum of the sizes in bytes; sizes of which the sum does not fit are nonsense, but no reason to stop.
fn total(parts: &[(String, usize)]) -> u64 {
    parts.iter().fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> TrainingReport {
        let epoch = |epoch| EpochSummary { epoch, training_loss: 0.5, test_loss: 0.25, test_accuracy: 0.75 };
        TrainingReport {
            title: "Digits".into(),
            settings: vec![("optimizer".into(), "momentum 0.9".into())],
            epochs: (1..=3).map(epoch).collect(),
            confusion: vec![vec![3, 1], vec![0, 4]],
            memory: vec![("parameters".into(), 9640), ("gradients".into(), 1360)],
            microseconds_per_step: 12.5,
        }
    }

    #[test]
    fn the_page_refers_to_nothing_outside() {
        let page = report().html().unwrap();
        for reference in ["http://", "https://", "src=", "href=", "url(", "@import", "<link", "<script"] {
            assert!(!page.contains(reference), "{reference}");
        }
    }

    #[test]
    fn all_text_is_escaped() {
        let script = "<script>alert('\"&')</script>";
        let mut report = report();
        report.title = script.into();
        report.settings.push((script.into(), script.into()));
        report.memory.push((script.into(), 1));
        let page = report.html().unwrap();
        assert!(!page.contains("<script") && !page.contains("</script"));
        assert_eq!(page.matches("&lt;script&gt;alert(&#39;&quot;&amp;&#39;)").count(), 5);
    }

    #[test]
    fn the_figures_are_in_the_page() {
        let page = report().html().unwrap();
        for figure in ["75.0%", "0.2500", "11,000", "12.5", "7 of 8", "momentum 0.9"] {
            assert!(page.contains(figure), "{figure}");
        }
        assert_eq!(page.matches("<svg").count(), 2);
        assert_eq!(page.matches("role=\"img\"").count(), 2);
    }

    #[test]
    fn every_tag_that_is_opened_is_closed() {
        let page = report().html().unwrap();
        for tag in ["svg", "table", "caption", "tr", "th", "td", "section", "div", "dl", "dd", "p", "small", "main"] {
            let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn an_empty_report_is_a_page_too() {
        let empty = TrainingReport {
            title: String::new(),
            settings: Vec::new(),
            epochs: Vec::new(),
            confusion: Vec::new(),
            memory: vec![("parameters".into(), 0)],
            microseconds_per_step: f64::NAN,
        };
        let page = empty.html().unwrap();
        assert!(page.contains("no epoch was run"));
        assert!(!page.contains("NaN") && !page.contains("inf"));
    }

    #[test]
    fn a_sum_too_large_does_not_overflow() {
        assert_eq!(total(&[("a".into(), usize::MAX), ("b".into(), usize::MAX)]), u64::MAX);
    }
}
