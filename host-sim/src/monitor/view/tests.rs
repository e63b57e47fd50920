use super::*;
use crate::monitor::StaticRam;

fn state(messages: impl IntoIterator<Item = (Level, String)>) -> State {
    let mut state = State::new("a board on a probe");
    for (index, (level, text)) in messages.into_iter().enumerate() {
        state.take(Entry { seconds: 0.5 * index as f64, level: Some(level), text });
    }
    state
}

/// A board that learns four gestures.
fn gestures() -> State {
    let begin = [
        (
            Level::Info,
            "RAM { parameters: 3000, gradients: 3000, moments: 6000, activations: 1200, replay: 9000 }".to_owned(),
        ),
        (Level::Warn, "refused: the sample has NaN at 7".to_owned()),
    ];
    let lessons = (0..60_u32).map(|index| {
        let (class, wrong) = (index / 15 + 1, index % 15 < 4 - index / 15);
        let predicted = if wrong { class % 4 + 1 } else { class };
        (Level::Info, format!("class {class} taken for {predicted}, loss {:.3}", 2.0 / f64::from(index + 1)))
    });
    let end = [(Level::Info, "saved 13312 bytes".to_owned()), (Level::Info, "class 3, 87.5 %".to_owned())];
    let mut state = state(begin.into_iter().chain(lessons).chain(end));
    state.statics = Some(StaticRam { statics: 81_000, stack: Some(16_384) });
    state.chip_ram = Some(131_072);
    state
}

fn assert_has(text: &str, parts: &[&str]) {
    let missing: Vec<_> = parts.iter().filter(|part| !text.contains(**part)).collect();
    assert!(missing.is_empty(), "{missing:?} are not in\n{text}");
}

#[test]
fn a_board_that_learns_classes() {
    insta::assert_snapshot!(text(&gestures(), 110, 36));
}

#[test]
fn a_board_that_watches_for_anomalies() {
    let learning = (0..20_u32).map(|index| (Level::Info, format!("learned, error {:.3}", 1.0 / f64::from(index + 1))));
    let watching = (0..20_u32).map(|index| {
        let error = if index < 12 { 0.06 } else { 0.9 };
        (Level::Info, format!("error {error}{}", if index < 15 { "" } else { ", alarm" }))
    });
    let threshold = [(Level::Info, "watches, threshold 0.25".to_owned())];
    let alarm = [(Level::Warn, "alarm".to_owned())];
    let mut state = state(learning.chain(threshold).chain(watching).chain(alarm));
    state.ended = true;
    insta::assert_snapshot!(text(&state, 100, 30));
}

#[test]
fn a_board_that_says_nothing() {
    let mut state = State::new("serial port /dev/ttyACM0");
    state.seconds = 12.0;
    assert_has(&text(&state, 100, 30), &["/dev/ttyACM0", "silent for 12 s", "no sample with a class so far"]);
}

#[test]
fn small_terminals_have_the_figures() {
    let mut state = gestures();
    state.damaged = 3;
    for (columns, rows, parts) in
        [(50, 14, &["loss", "accuracy", "class 3, 87", "refused"][..]), (20, 5, &["loss", "accuracy"]), (1, 1, &[])]
    {
        assert_has(&text(&state, columns, rows), parts);
    }
}

#[test]
fn many_classes_are_told_by_their_mistakes() {
    let classes =
        (0..40_u32).map(|class| (Level::Info, format!("class {class} taken for {}", (class + class % 2) % 40)));
    let text = text(&state(classes), 80, 24);
    assert_has(&text, &["50.0 % of all 40 were right", "1 taken for 2: 1"]);
}

#[test]
fn what_is_not_finite_is_shown_and_does_no_harm() {
    let state = state([(Level::Info, "loss NaN".to_owned()), (Level::Info, "accuracy inf %".to_owned())]);
    assert_has(&text(&state, 100, 30), &["loss       NaN", "inf %"]);
}
