//! The page of a training step: the network drawn on the way forward and on the way back, then every number.

use super::graph::{Column, Picture};
use super::html;
use super::text::{escape, scrollable};
use crate::explain::{Block, Explanation, Section, StageStep, number};

/// How many rows of a table are shown, unless all are asked for.
const MOST_ROWS: usize = 24;

const STYLE: &str = include_str!("step.css");

impl Explanation {
    /// The step as a page that needs no other file. Long tables are shortened, unless `all` of them is wanted.
    #[must_use]
    pub fn page(&self, all: bool) -> String {
        let story = self.story(if all { usize::MAX } else { MOST_ROWS });
        let mut sections = vec![
            html::section("Result", "", &self.headline()),
            html::section("Forward: values and weights", "", &self.picture(false)),
            html::section("Backward: gradients", "", &self.picture(true)),
        ];
        sections.extend(story.iter().map(section));
        let title = escape(&self.network);
        html::document_with("One training step", &title, STYLE, &sections.concat())
    }

    fn headline(&self) -> String {
        let figures = [
            ("Loss before", number(self.loss)),
            ("Loss after", number(self.loss_after)),
            ("Optimizer", self.setup.optimizer.to_string()),
            ("Learning rate", (self.setup.learning_rate as f32).to_string()),
            ("Gradients checked", format!("{} of {}", self.checked, self.gradients)),
            ("Largest error", format!("{:.0e}", self.largest_error)),
        ];
        let figure = |(name, value): &(&str, String)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(value));
        format!("<dl class=\"figures\">{}</dl>", figures.iter().map(figure).collect::<String>())
    }

    /// The network, from left to right, by its values or by its gradients.
    fn picture(&self, gradients: bool) -> String {
        let sample_gradient = self.sample_gradient();
        let (nodes, edges) = if gradients { ("dL/dy", "dL/dw") } else { ("y", "w") };
        let mut columns = Vec::new();
        if let Some(first) = self.stages.first() {
            columns.push(Column {
                title: "sample".into(),
                axes: &first.input_axes,
                values: if gradients { &sample_gradient } else { &self.setup.input },
                weights: None,
                one_to_one: false,
                takes: Vec::new(),
            });
        }
        columns.extend(self.stages.iter().map(|stage| Column {
            title: format!("{} {}", stage.name, stage.layer),
            axes: &stage.output_axes,
            values: if gradients { &stage.dy } else { &stage.y },
            weights: dense(stage).map(|weight| if gradients { &weight.gradient } else { &weight.before }),
            one_to_one: stage.parameters.is_empty() && stage.x.len() == stage.y.len(),
            // The sample is the first column.
            takes: stage.takes.iter().map(|place| place.map_or(0, |place| place + 1)).collect(),
        }));
        let note = format!(
            "<p class=\"note\">Circles: {nodes}. Lines: {edges}. Blue is positive, orange negative; the stronger, the larger among its \
             layer. Hold the pointer over a circle or a line to read it.</p>"
        );
        let picture =
            Picture { columns, label: if gradients { "Gradients of the network" } else { "Values of the network" } };
        format!("{}{note}", scrollable("Drawing of the network", "scroll", &picture.svg()))
    }
}

/// The weights of a dense layer.
fn dense(stage: &StageStep) -> Option<&crate::explain::ParameterStep> {
    stage.parameters.first().filter(|_| stage.layer.starts_with("dense"))
}

fn section(section: &Section) -> String {
    let mut content = String::new();
    for block in &section.blocks {
        match block {
            Block::Heading(heading) => content += &format!("<h3>{}</h3>", escape(heading)),
            Block::Formula(formula) => content += &format!("<p class=\"formula\">{}</p>", escape(formula)),
            Block::Note(note) => content += &format!("<p class=\"remark\">{}</p>", escape(note)),
            Block::Table { header, rows, skipped } => content += &table(header, rows, *skipped),
        }
    }
    html::section(&escape(&section.title), "long", &content)
}

fn table(header: &[String], rows: &[Vec<String>], skipped: usize) -> String {
    let head: String = header.iter().map(|name| format!("<th scope=\"col\">{}</th>", escape(name))).collect();
    let cell = |text: &String| {
        let class = if text.starts_with('-') && text.len() > 1 { " class=\"negative\"" } else { "" };
        format!("<td{class}>{}</td>", escape(text))
    };
    let row = |cells: &Vec<String>| {
        let (name, rest) = cells.split_first().map_or(("", &[][..]), |(name, rest)| (name.as_str(), rest));
        format!("<tr><th scope=\"row\">{}</th>{}</tr>", escape(name), rest.iter().map(cell).collect::<String>())
    };
    let body: String = rows.iter().map(row).collect();
    let more = if skipped > 0 {
        format!("<p class=\"remark\">{skipped} more rows: --all shows them</p>")
    } else {
        String::new()
    };
    let table = format!("<table class=\"numbers\"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>");
    format!("{}{more}", scrollable("Numbers", "scroll", &table))
}

#[cfg(test)]
mod tests {
    use crate::explain::Setup;
    use crate::network::model::{Loss, Target};
    use crate::network::{Network, Rule};

    use super::*;

    fn page(line: &str) -> String {
        let network = Network::from_line(line).unwrap();
        let input = (0..network.input().count()).map(|i| (i as f64).cos()).collect();
        let setup = Setup {
            seed: 1,
            input,
            target: Target::Class(1),
            loss: Loss::CrossEntropy,
            optimizer: Rule::Sgd,
            learning_rate: 0.1,
        };
        Explanation::new(network, setup, &mut |_, _| ()).unwrap().page(false)
    }

    #[test]
    fn the_page_is_complete_and_refers_to_nothing_outside() {
        for line in [
            "2 dense(3) tanh dense(2)",
            "2x9x9 conv2d(3,3) relu maxpool(2) dense(40) dense(2)",
            "3x9 gru(4) dense(2)",
            "2x9 residual(conv1d(2,3,padding=same)) dense(2)",
        ] {
            let page = page(line);
            assert_eq!(page.matches("<svg").count(), 2, "{line}");
            for reference in ["http://", "https://", "src=", "href=", "url(", "<script", "NaN", "inf\""] {
                assert!(!page.contains(reference), "{line}: {reference}");
            }
            for tag in ["svg", "g", "text", "table", "tr", "td", "th", "section", "div", "p", "h3", "title"] {
                let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
                assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{line}: {tag}");
            }
        }
    }

    #[test]
    fn a_small_network_is_drawn_with_a_circle_a_value_and_a_line_a_weight() {
        let page = page("2 dense(3) tanh dense(2)");
        // Twice 2 + 3 + 3 + 2 circles; twice 6 + 3 + 6 lines.
        assert_eq!(page.matches("<circle").count(), 20);
        assert_eq!(page.matches("<line").count(), 30);
    }

    #[test]
    fn what_goes_past_a_branch_is_drawn_beneath_it() {
        // Lines of the branch, from it to the sum, and of the layer behind: twice 4 + 2 + 4; what goes past: one way.
        let drawn = page("2 residual(dense(2)) dense(2)");
        assert_eq!((drawn.matches("<line").count(), drawn.matches("class=\"past\"").count()), (20, 2));
        // Of a projection, from its input to it and, behind the branch, from the branch to the sum.
        let drawn = page("2 residual(dense(3) | dense(3)) dense(2)");
        assert_eq!((drawn.matches("<line").count(), drawn.matches("class=\"past\"").count()), (2 * (6 + 3 + 6), 4));
    }
}
