//! Steps by hand, of every layer, on kinks, and of what does not fit.

use backpass::{CrossEntropy, Dense, Learner, Memory, Optimizer, Params, Tanh};

use super::*;
use crate::network::rule::with_each_optimizer;

fn explain(line: &str, input: &[f64], target: Target, loss: Loss) -> Result<Explanation, ExplainError> {
    let setup = Setup { seed: 1, input: input.to_vec(), target, loss, optimizer: Rule::Sgd, learning_rate: 0.05 };
    Explanation::new(Network::from_line(line).unwrap(), setup, &mut |_, _| ())
}

#[test]
fn a_step_by_hand() {
    // y = w x, L = (y - t)², with w as it was drawn: dL/dw = 2 (w x - t) x.
    let step = explain("1 dense(1,bias=no)", &[3.0], Target::Values(vec![2.0]), Loss::MeanSquaredError).unwrap();
    let parameter = &step.stages[0].parameters[0];
    let w = parameter.before[0];
    assert!((step.loss - (3.0 * w - 2.0).powi(2)).abs() < 1e-12);
    assert!((parameter.gradient[0] - 6.0 * (3.0 * w - 2.0)).abs() < 1e-12);
    assert!((step.stages[0].dx[0] - 2.0 * w * (3.0 * w - 2.0)).abs() < 1e-12);
    assert!((parameter.after[0] - (w - 0.05 * parameter.gradient[0])).abs() < 1e-12);
    assert!((step.loss_after - (3.0 * parameter.after[0] - 2.0).powi(2)).abs() < 1e-12);
    assert!((step.expected_change + 0.05 * parameter.gradient[0].powi(2)).abs() < 1e-12);
    assert_eq!((step.gradients, step.checked, step.kinks), (2, 2, 0));
    assert!(step.largest_error < 1e-8);
}

#[test]
fn a_step_of_adam_by_hand() {
    let setup = Setup {
        seed: 1,
        input: vec![3.0],
        target: Target::Values(vec![2.0]),
        loss: Loss::MeanSquaredError,
        optimizer: Rule::Adam,
        learning_rate: 0.01,
    };
    let step = Explanation::new(Network::from_line("1 dense(1,bias=no)").unwrap(), setup, &mut |_, _| ()).unwrap();
    let parameter = &step.stages[0].parameters[0];
    let g = parameter.gradient[0];
    let expected = [("m", 0.1 * g), ("v", 0.001 * g * g), ("m_hat", g), ("v_hat", g * g), ("step", 0.01 * g.signum())];
    for (computed, (name, value)) in parameter.update.iter().zip(expected) {
        assert_eq!(computed.name, name);
        assert!((computed.values[0] - value).abs() < 1e-9, "{name}: {} {value}", computed.values[0]);
    }
    assert!((step.expected_change + 0.01 * g.abs()).abs() < 1e-9);
    assert!((parameter.after[0] - (parameter.before[0] - 0.01 * g.signum())).abs() < 1e-9);
}

#[test]
fn a_step_by_any_rule_is_the_learners() {
    fn compare<O: Optimizer>(optimizer: O, rule: Rule) {
        let mut memory = Memory::<(Dense<4>, Tanh, Dense<2>), [f32; 3], O>::new();
        let mut learner = Learner::new(&mut memory, Default::default(), CrossEntropy, optimizer);
        learner.initialize(3);
        learner.train(&[0.5, -1.0, 2.0], &1).unwrap();
        let mut learned = Vec::new();
        learner.params().visit(None, &mut |_, values| learned.extend_from_slice(values));

        let (input, target) = (vec![0.5, -1.0, 2.0], Target::Class(1));
        let setup = Setup { seed: 3, input, target, loss: Loss::CrossEntropy, optimizer: rule, learning_rate: 0.05 };
        let network = Network::from_line("3 dense(4) tanh dense(2)").unwrap();
        let step = Explanation::new(network, setup, &mut |_, _| ()).unwrap();
        let after = step.stages.iter().flat_map(|stage| &stage.parameters).flat_map(|parameter| &parameter.after);
        assert_eq!(after.clone().count(), learned.len());
        for (after, learned) in after.zip(learned) {
            // A few roundings of f32 in the gradient and in the step.
            assert!((after - f64::from(learned)).abs() < 1e-6, "{rule}: {after} {learned}");
        }
        assert!(step.loss_after < step.loss, "{rule}");
        let (text, page) = (step.text(true), step.page(true));
        for computed in &step.stages[0].parameters[0].update {
            assert!(text.contains(&format!("{} <- ", computed.name)), "{rule}: {text}");
            assert!(page.contains(&format!(">{}</th>", computed.name)), "{rule}");
        }
    }
    with_each_optimizer!(compare);
}

#[test]
fn a_difference_on_a_kink_is_no_error() {
    let step = explain("2 relu dense(2)", &[0.0, 1.0], Target::Class(0), Loss::CrossEntropy).unwrap();
    assert_eq!(step.kinks, 1);
    assert!(step.stages[0].dx_checks[0].unwrap().at_kink && step.largest_error < 1e-6);
    assert!(step.text(false).contains("kink"));
}

#[test]
fn what_does_not_fit_is_named() {
    let line = "2 dense(3)";
    let of = |input: &[f64], target| explain(line, input, target, Loss::CrossEntropy).unwrap_err();
    assert!(matches!(of(&[1.0], Target::Class(0)), ExplainError::Inputs { found: 1, expected: 2, .. }));
    assert_eq!(of(&[1.0, f64::NAN], Target::Class(0)), ExplainError::NotFinite(2));
    assert!(matches!(of(&[1.0, 2.0], Target::Class(3)), ExplainError::Target(TargetError::Class { .. })));
    let signal = explain("1x4 conv1d(2,3)", &[1.0; 4], Target::Class(0), Loss::CrossEntropy);
    assert!(matches!(signal, Err(ExplainError::NoVector(_))));
    let huge = explain("1 dense(1)", &[1e200], Target::Values(vec![0.0]), Loss::MeanSquaredError);
    assert_eq!(huge, Err(ExplainError::Overflow));
}

#[test]
fn every_layer_is_explained_and_agrees_with_its_differences() {
    let lines = [
        "2x6x6 conv2d(3,3,padding=same) batchnorm relu depthwise(3) maxpool(2) dropout(0.2) dense(3) gelu dense(2)",
        "2x7 gru(3,sequence) layernorm lstm(3,sequence) averagepool(2) rnn(3) dense(2)",
        "2x7 conv1d(3,3) globalmaxpool dense(4) softmax dense(2)",
        "2x7 prelu globalaveragepool dense(4) prelu(shared) dense(4) logsoftmax dense(2)",
        "2x4x4 residual(conv2d(2,3,padding=same) batchnorm relu conv2d(2,3,padding=same)) residual(conv2d(3,3,2) | conv2d(3,3,2)) dense(2)",
        "3 residual(residual(tanh dense(3) relu) dense(3)) dense(2)",
    ];
    for line in lines {
        let count = Network::from_line(line).unwrap().input().count();
        let input: Vec<f64> = (0..count).map(|i| (i as f64 * 0.7).sin()).collect();
        let step = explain(line, &input, Target::Class(1), Loss::CrossEntropy).unwrap();
        assert!(step.largest_error < 1e-4, "{line}: {}", step.largest_error);
        assert_eq!(step.checked, step.gradients, "{line}");
        let text = step.text(true);
        for stage in &step.stages {
            assert!(text.contains(&stage.layer), "{line}: {}", stage.layer);
            assert!(!stage.forward.is_empty() && !stage.backward.is_empty());
        }
    }
}

#[test]
fn a_residual_connection_by_hand() {
    // y = F(x) + x with F(x) = w x, L = (y - t)²: dL/dw = 2 (y - t) x; the sum hands dL/dy on to both.
    let line = "1 residual(dense(1,bias=no))";
    let step = explain(line, &[3.0], Target::Values(vec![2.0]), Loss::MeanSquaredError).unwrap();
    let [branch, sum] = &step.stages[..] else { panic!("{}", step.stages.len()) };
    let w = branch.parameters[0].before[0];
    let y = 3.0 * w + 3.0;
    assert!((sum.y[0] - y).abs() < 1e-12 && (step.loss - (y - 2.0).powi(2)).abs() < 1e-12);
    assert!((branch.parameters[0].gradient[0] - 6.0 * (y - 2.0)).abs() < 1e-12);
    assert!((sum.dx[0] - 2.0 * (y - 2.0)).abs() < 1e-12 && branch.dy == sum.dx);
    assert_eq!((&branch.takes[..], &sum.takes[..]), (&[None][..], &[Some(0), None][..]));
    assert_eq!((branch.name.as_str(), sum.layer.as_str()), ("0", "residual: F(x) + x"));
    assert!(step.largest_error < 1e-8);
    // What the sample does to the loss: y = (w + 1) x.
    assert!((step.sample_gradient()[0] - 2.0 * (y - 2.0) * (w + 1.0)).abs() < 1e-12);
    // Where a value goes on by two ways, its gradient is the sum of both.
    let line = "1 dense(1) residual(dense(1))";
    let step = explain(line, &[3.0], Target::Values(vec![2.0]), Loss::MeanSquaredError).unwrap();
    assert!((step.stages[0].dy[0] - step.stages[1].dx[0] - step.stages[2].dx[0]).abs() < 1e-12);
}

#[test]
fn of_a_large_network_some_differences_are_taken_of_each_array() {
    let line = "64 dense(3000) relu dense(10)";
    let step = explain(line, &[0.5; 64], Target::Class(1), Loss::CrossEntropy).unwrap();
    assert!(step.checked < step.gradients && step.checked > 100, "{} of {}", step.checked, step.gradients);
    for parameter in step.stages.iter().flat_map(|stage| &stage.parameters) {
        assert!(parameter.checks.iter().flatten().count() >= 4, "{}", parameter.name);
    }
}
