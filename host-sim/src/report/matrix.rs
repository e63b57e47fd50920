//! The confusion matrix as a table of the page.

use super::text::scrollable;

/// More classes than this get smaller cells.
const MANY_CLASSES: usize = 12;

/// The number of samples of the class `truth` that were taken for the class `prediction`; what is missing is zero.
fn count(confusion: &[Vec<u32>], truth: usize, prediction: usize) -> u64 {
    confusion.get(truth).and_then(|row| row.get(prediction)).map_or(0, |&count| count.into())
}

/// The number of classes: the matrix is square, even if it was given without its last rows or columns.
fn classes(confusion: &[Vec<u32>]) -> usize {
    confusion.iter().map(Vec::len).chain([confusion.len()]).max().unwrap_or(0)
}

/// The number of samples on the diagonal, and the number of all samples.
pub(super) fn right_and_all(confusion: &[Vec<u32>]) -> (u64, u64) {
    let right = (0..classes(confusion)).map(|class| count(confusion, class, class)).sum();
    let all = confusion.iter().flatten().map(|&count| u64::from(count)).sum();
    (right, all)
}

/// The matrix with a caption that explains it, or the statement that there is none.
pub(super) fn table(confusion: &[Vec<u32>]) -> String {
    let classes = classes(confusion);
    if classes == 0 {
        return "<p>no test sample was classified</p>".into();
    }
    let size = if classes > MANY_CLASSES { "matrix many" } else { "matrix" };
    let columns: String = (0..classes).map(|class| format!("<th scope=\"col\">{class}</th>")).collect();
    let rows: String = (0..classes).map(|class| row(confusion, class, classes)).collect();
    let table = format!(
        "<table class=\"{size}\"><caption>Test samples by true and predicted class</caption>\
         <thead><tr><td></td><th scope=\"colgroup\" colspan=\"{classes}\">Predicted</th><td></td></tr>\
         <tr><th scope=\"col\">True</th>{columns}<th scope=\"col\" class=\"recall\">Recall</th></tr></thead><tbody>{rows}</tbody></table>"
    );
    // Outside of the region that scrolls, so that it can be read without.
    let legend = "<p class=\"note\">A row holds the samples of one class, a column those taken for one class. \
                  Blue cells are right, orange cells are mistakes; recall is the right share of a row.</p>";
    scrollable("Confusion matrix", "scroll", &table) + legend
}

fn row(confusion: &[Vec<u32>], truth: usize, classes: usize) -> String {
    let sum: u64 = (0..classes).map(|prediction| count(confusion, truth, prediction)).sum();
    let share = |count: u64| if sum == 0 { 0.0 } else { count as f64 / sum as f64 };
    let cells = (0..classes).map(|prediction| {
        let count = count(confusion, truth, prediction);
        cell(count, share(count), truth == prediction)
    });
    let recall = match sum {
        0 => "–".into(),
        _ => format!("{:.1}%", share(count(confusion, truth, truth)) * 100.0),
    };
    let cells: String = cells.collect();
    format!("<tr><th scope=\"row\">{truth}</th>{cells}<td class=\"recall\">{recall}</td></tr>")
}

/// A cell whose colour deepens with its share of the row.
fn cell(count: u64, share: f64, right: bool) -> String {
    if count == 0 {
        return "<td class=\"zero\">0</td>".into();
    }
    // A single mistake must be seen: the root lifts small shares.
    let (class, depth) = if right { ("right", share) } else { ("wrong", share.sqrt()) };
    format!("<td class=\"{class}\" style=\"--share:{depth:.3}\">{count}</td>")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occurrences(text: &str, part: &str) -> usize {
        text.matches(part).count()
    }

    #[test]
    fn right_and_wrong_cells_are_told_apart() {
        let table = table(&[vec![8, 2], vec![0, 5]]);
        assert_eq!(occurrences(&table, "class=\"right\""), 2);
        assert_eq!(occurrences(&table, "class=\"wrong\""), 1);
        assert_eq!(occurrences(&table, "class=\"zero\""), 1);
        assert!(table.contains("80.0%") && table.contains("100.0%"));
    }

    #[test]
    fn samples_are_counted() {
        assert_eq!(right_and_all(&[vec![8, 2], vec![0, 5]]), (13, 15));
        assert_eq!(right_and_all(&[]), (0, 0));
        assert_eq!(right_and_all(&[vec![u32::MAX, u32::MAX]]).1, 2 * u64::from(u32::MAX));
    }

    #[test]
    fn every_size_and_shape_becomes_a_square() {
        for classes in [1, 2, 10, 30] {
            let table = table(&vec![vec![1; classes]; classes]);
            assert_eq!(occurrences(&table, "scope=\"row\""), classes);
            assert_eq!(occurrences(&table, "--share"), classes * classes);
        }
        let ragged = table(&[vec![1], vec![], vec![1, 1, 1]]);
        assert_eq!(occurrences(&ragged, "scope=\"row\""), 3);
        assert_eq!(occurrences(&table(&[]), "<table"), 0);
        assert_eq!(occurrences(&table(&[vec![], vec![]]), "scope=\"row\""), 2);
    }
}
