//! The gesture application on a simulated board, as a person uses it: what it learns from real recordings, what goes wrong, and what a
//! reset leaves.

use std::collections::VecDeque;
use std::thread;

use backpass_app::device::sensors::{AccelFullScale, Lsm303agrSensor, Mpu6050Sensor};
use backpass_app::device::{Fault, Matrix, Parts, PushButton, SaveError, Sensor, SensorError};
use backpass_app::gesture::{Event, Gesture, ROWS, Ram, Settings, Window3};
use backpass_app::{boards, parameters_crc32};
use backpass_sim::devices::{self, Bus, Button, Clock, LedMatrix};
use backpass_sim::flash::Operation;

use backpass_sim::world::recordings::{BASIC_MOTIONS_RATE, Recording};
use backpass_sim::world::{Board, BoardSensor, Flash, gesture};

/// Real movements: each of the four classes has ten recordings to be taught with and ten to be tested with.
fn recordings(class: usize, test: bool) -> Vec<Recording> {
    let scenario = gesture::basic_motions();
    let half = if test { scenario.tests } else { scenario.lessons };
    half.into_iter().filter(|recording| recording.class == class).collect()
}

fn settings() -> Settings {
    // A lesson takes 50 seconds here.
    Settings { longest_press: 60, ..Settings::at_rate(BASIC_MOTIONS_RATE) }
}

#[test]
fn every_seed_learns_in_one_pass_and_forgets_only_without_replay() {
    let scenario = gesture::basic_motions();
    let run = |sensor, settings| gesture::run(&scenario, sensor, settings, &mut |_| {});
    let with = |seed| Settings { seed, ..Settings::at_rate(scenario.rate) };
    // Six channels, and the three of a micro:bit.
    let runs = [BoardSensor::Mpu6050, BoardSensor::Lsm303agr]
        .into_iter()
        .flat_map(|sensor| (1..=5).map(move |seed| (sensor, seed)));
    thread::scope(|scope| {
        let runs: Vec<_> =
            runs.map(|(sensor, seed)| (sensor, seed, scope.spawn(move || run(sensor, with(seed))))).collect();
        for (sensor, seed, run) in runs {
            let outcome = run.join().unwrap();
            let (accuracy, forgetting) = (outcome.result().accuracy(), outcome.forgetting_points());
            println!("{sensor:?}, seed {seed}: {:.1} %, forgetting {forgetting:.1} points", 100.0 * accuracy);
            assert!(accuracy >= 0.9, "seed {seed}: {accuracy}");
            assert!(forgetting <= 5.0, "seed {seed}: {forgetting} points forgotten");
            assert!(outcome.faults.is_empty(), "{:?}", outcome.faults);
            assert_eq!(outcome.saves, 8, "two after each lesson: when it ends, and when it was rehearsed");
        }
    });
    let without = run(BoardSensor::Mpu6050, Settings { replayed: 0, ..with(1) });
    println!("seed 1, without replay: forgetting {:.1} points", without.forgetting_points());
    assert!(without.forgetting_points() > 15.0);
}

#[test]
fn what_boards_have_time_for_is_enough() {
    let scenario = gesture::basic_motions();
    for (sensor, board) in [
        (BoardSensor::Lsm303agr, boards::GESTURE),
        (BoardSensor::Mpu6050, boards::GESTURE),
        (BoardSensor::Mpu6050, boards::GESTURE_M0),
    ] {
        // The rate is the recording's.
        let settings = Settings { period: Settings::at_rate(scenario.rate).period, ..board };
        let outcome = gesture::run(&scenario, sensor, settings, &mut |_| {});
        let (accuracy, forgetting) = (outcome.result().accuracy(), outcome.forgetting_points());
        println!(
            "{sensor:?}, {} updates of {}: {:.1} %, forgetting {forgetting:.1} points",
            board.updates,
            1 + board.replayed,
            100.0 * accuracy
        );
        assert!(accuracy >= 0.9 && forgetting <= 5.0);
    }
}

/// A board in somebody's hand.
struct Hand<S> {
    board: Board<S>,
    app: Gesture<'static, 3, 4, Window3>,
    events: Vec<Event>,
}

type Microbit = Hand<Lsm303agrSensor<Bus, Clock>>;

impl<S: Sensor<3>> Hand<S> {
    fn switch_on(mut board: Board<S>) -> Self {
        let ram = Box::leak(Box::new(Ram::new()));
        let mut app = Gesture::new(ram, settings());
        let mut events = Vec::new();
        app.start(&mut board.store, &mut |event| events.push(event));
        Self { board, app, events }
    }

    /// Moves; what the application tells of meanwhile.
    fn play(&mut self, rows: &[[f32; 6]]) -> &[Event] {
        let now = (self.board.clock.now().as_secs_f64() * f64::from(BASIC_MOTIONS_RATE)).round() as usize;
        let behind = now.saturating_sub(self.board.motion.len());
        self.board.motion.extend(vec![rows[0]; behind].into_iter().chain(rows.iter().copied()));
        self.events.clear();
        for _ in rows {
            self.app.step(&mut self.board.parts, &mut self.board.store, &mut |event| self.events.push(event));
        }
        &self.events
    }

    /// Keeps still, so far as a hand does.
    fn rest(&mut self, rows: usize) -> Vec<Event> {
        let still = |row: usize| [0.01 * (row % 7) as f32, 0.02 * (row % 3) as f32, 9.81, 0.0, 0.0, 0.0];
        self.play(&(0..rows).map(still).collect::<Vec<_>>()).to_vec()
    }

    /// Chooses a class by button B and teaches it with five recordings while button A is held.
    fn teach(&mut self, class: usize) -> Vec<Event> {
        // A button that is held at the first step of all would count as stuck.
        self.rest(1);
        while usize::from(self.app.chosen()) != class {
            self.board.button_b.press();
            self.rest(1);
            self.board.button_b.release();
            self.rest(1);
        }
        self.board.button_a.press();
        let mut events = Vec::new();
        for recording in recordings(class, false).iter().take(5) {
            events.extend_from_slice(self.play(&recording.rows));
        }
        self.board.button_a.release();
        events.extend(self.rest(2));
        events
    }

    /// The share of windows of these classes' test recordings that are recognised.
    fn accuracy(&mut self, classes: &[usize]) -> f64 {
        let (mut right, mut all) = (0, 0);
        for &class in classes {
            for recording in recordings(class, true) {
                for (row, motion) in recording.rows.iter().enumerate() {
                    for event in self.play(&[*motion]) {
                        if let Event::Predicted { class: predicted, .. } = event
                            && row + 1 >= ROWS
                        {
                            right += u32::from(usize::from(*predicted) == class);
                            all += 1;
                        }
                    }
                }
            }
        }
        assert!(all > 50, "{all} windows");
        f64::from(right) / f64::from(all)
    }

    /// Whether the corner above on the left is lit in the next step.
    fn fault_is_lit(&mut self) -> bool {
        let _ = self.board.leds.seen();
        self.rest(1);
        self.board.leds.seen()[0][0]
    }
}

fn microbit() -> Microbit {
    Hand::switch_on(Board::lsm303agr(BASIC_MOTIONS_RATE))
}

fn faults(events: &[Event]) -> Vec<Fault> {
    events.iter().filter_map(|event| if let Event::Fault(fault) = event { Some(*fault) } else { None }).collect()
}

fn is_back(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::SensorBack { .. }))
}

#[test]
fn a_sensor_that_fails_is_told_of_once_shown_and_comes_back() {
    let mut hand = microbit();
    hand.teach(0);
    for (fault, expected) in [
        (devices::Fault::NoAcknowledge, Fault::Sensor(SensorError::NoAnswer)),
        (devices::Fault::BusError, Fault::Sensor(SensorError::Bus)),
        (devices::Fault::ArbitrationLoss, Fault::Sensor(SensorError::Bus)),
        (devices::Fault::StuckData, Fault::SensorStuck),
    ] {
        assert!(!hand.fault_is_lit());
        hand.board.bus.set_fault(fault);
        let events = hand.rest(60);
        assert_eq!(faults(&events), [expected], "{fault:?}");
        assert!(hand.fault_is_lit(), "{fault:?}");
        hand.board.bus.set_fault(devices::Fault::None);
        let events = hand.rest(20);
        assert!(is_back(&events) && faults(&events).is_empty(), "{fault:?}: {events:?}");
    }
    // A data line that is held low: whatever is read is 0, which a sensor in a hand is never for long.
    hand.board.bus.set_fault(devices::Fault::HeldLow);
    assert_eq!(faults(&hand.rest(60)).len(), 1);
    assert!(hand.fault_is_lit());
    hand.board.bus.set_fault(devices::Fault::None);
    assert!(is_back(&hand.rest(20)) && !hand.fault_is_lit());
    // All the rest goes on.
    hand.teach(1);
    assert!(hand.accuracy(&[0, 1]) >= 0.9);
}

#[test]
fn a_sensor_that_is_not_there_at_first_is_found_later() {
    let board = Board::lsm303agr(BASIC_MOTIONS_RATE);
    board.bus.set_fault(devices::Fault::NoAcknowledge);
    let mut hand = Hand::switch_on(board);
    assert_eq!(faults(&hand.rest(30)), [Fault::Sensor(SensorError::NoAnswer)]);
    assert!(hand.fault_is_lit());
    // Without a sensor there is nothing to learn from, and nothing to save.
    assert!(!hand.teach(0).iter().any(|event| matches!(event, Event::Learned { .. } | Event::Saved { .. })));
    hand.board.bus.set_fault(devices::Fault::None);
    assert!(is_back(&hand.rest(20)));
    hand.teach(0);
    hand.teach(1);
    assert!(hand.accuracy(&[0, 1]) >= 0.9);
}

#[test]
fn a_sensor_at_another_address_does_not_answer() {
    let Board { clock, bus, .. } = Board::mpu6050(BASIC_MOTIONS_RATE);
    let mut sensor = Mpu6050Sensor::new(bus, clock, true, AccelFullScale::G4);
    assert_eq!(sensor.start(), Err(SensorError::NoAnswer));
}

#[test]
fn a_sensor_that_stops_in_a_lesson_ends_no_lesson() {
    let mut hand = microbit();
    hand.board.bus.set_fault_after(400, devices::Fault::NoAcknowledge);
    let events = hand.teach(0);
    let learned = events.iter().filter(|event| matches!(event, Event::Learned { .. })).count();
    assert!(learned > 5, "{learned} windows before it stopped");
    assert_eq!(faults(&events), [Fault::Sensor(SensorError::NoAnswer)]);
    assert!(events.contains(&Event::LessonEnds { class: 0, windows: learned as u32 }));
    assert!(events.iter().any(|event| matches!(event, Event::Saved { .. })), "what was learned is kept");
    hand.board.bus.set_fault(devices::Fault::None);
    hand.rest(20);
    hand.teach(1);
    assert!(hand.accuracy(&[0, 1]) >= 0.9);
}

#[test]
fn a_button_that_is_stuck_counts_as_released() {
    let mut hand = microbit();
    hand.teach(0);
    hand.teach(1);
    hand.board.button_a.press();
    let longest = settings().longest_press as usize * BASIC_MOTIONS_RATE as usize;
    let events = hand.rest(longest + 40);
    assert_eq!(faults(&events), [Fault::ButtonStuck(PushButton::A)]);
    assert!(events.iter().any(|event| matches!(event, Event::LessonEnds { .. })));
    assert!(hand.fault_is_lit());
    // It predicts although the button is still held.
    assert!(hand.rest(40).iter().any(|event| matches!(event, Event::Predicted { .. })));
    hand.board.button_a.release();
    assert!(faults(&hand.rest(5)).is_empty() && !hand.fault_is_lit());
    hand.teach(2);
    assert!(hand.accuracy(&[2]) >= 0.8);
    // Button B: the class is changed once, not at every look.
    hand.board.button_b.press();
    let events = hand.rest(longest + 40);
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Chosen { .. })).count(), 1);
    assert_eq!(faults(&events), [Fault::ButtonStuck(PushButton::B)]);
}

#[test]
fn a_button_that_cannot_be_read_counts_as_released() {
    let mut hand = microbit();
    hand.board.button_b.set_broken(true);
    assert_eq!(faults(&hand.rest(3)), [Fault::ButtonUnreadable(PushButton::B)]);
    let events = hand.teach(0);
    assert_eq!(faults(&events), [], "it is told of once");
    assert!(events.iter().any(|event| matches!(event, Event::Learned { .. })), "the other button works");
    assert!(hand.fault_is_lit());
    hand.board.button_b.set_broken(false);
    hand.rest(3);
    assert!(!hand.fault_is_lit());
    hand.board.button_a.set_broken(true);
    assert_eq!(faults(&hand.rest(10)), [Fault::ButtonUnreadable(PushButton::A)]);
    assert!(hand.rest(60).iter().any(|event| matches!(event, Event::Predicted { .. })));
}

#[test]
fn a_flash_that_is_too_small_or_worn_out_costs_nothing_but_the_checkpoint() {
    let mut hand = microbit();
    hand.board.set_flash(Flash::new(2));
    let events = hand.teach(0);
    let not_saved =
        events.iter().find_map(|event| if let Event::NotSaved(error) = event { Some(*error) } else { None });
    let Some(SaveError::TooSmall { needed, available }) = not_saved else { panic!("{events:?}") };
    assert!(available == 8192 && needed > available);
    assert!(hand.fault_is_lit());

    let mut worn = Flash::new(32);
    worn.fail(Operation::Erase, 0, u64::MAX);
    worn.fail(Operation::Write, 0, u64::MAX);
    hand.board.set_flash(worn);
    let events = hand.teach(1);
    assert!(events.contains(&Event::NotSaved(SaveError::Flash)), "{events:?}");
    assert!(hand.fault_is_lit());
    assert!(hand.accuracy(&[0, 1]) >= 0.9);

    hand.board.set_flash(Flash::new(32));
    assert!(hand.teach(2).iter().any(|event| matches!(event, Event::Saved { .. })));
    assert!(!hand.fault_is_lit());
}

#[test]
fn a_flash_of_another_application_is_no_obstacle() {
    let mut flash = Flash::new(32);
    // A checkpoint of something else.
    let mut memory = backpass::Memory::<backpass::Dense<2>, [f32; 3], backpass::Sgd>::new();
    let learner = backpass::Learner::new(
        &mut memory,
        backpass::Dense::<2>::new(),
        backpass::MeanSquaredError,
        backpass::Sgd::new(0.1),
    );
    backpass::checkpoint::Store::new(&mut flash, 0..32 * 4096).unwrap().save(&learner, &mut ()).unwrap();
    let mut board = Board::lsm303agr(BASIC_MOTIONS_RATE);
    board.set_flash(flash);
    let mut hand = Hand::switch_on(board);
    assert_eq!(hand.events, [Event::NotResumed(SaveError::Other)]);
    assert!(hand.teach(0).iter().any(|event| matches!(event, Event::Saved { .. })));
}

/// Gives row after row, whatever the time is.
struct Rows(VecDeque<[f32; 3]>);

impl Sensor<3> for Rows {
    fn start(&mut self) -> Result<(), SensorError> {
        Ok(())
    }

    fn read(&mut self) -> Result<[f32; 3], SensorError> {
        self.0.pop_front().ok_or(SensorError::NoAnswer)
    }
}

/// Teaches three classes; after each of the first two, if `resets`, the device is switched off and on. The bits of all that it knows
/// at the end, and what it takes the test recordings for.
fn three_lessons(resets: bool) -> (u32, Vec<(u8, u32)>) {
    let (button_a, button_b, leds, clock) = (Button::new(), Button::new(), LedMatrix::new(), Clock::new());
    let (rows, columns) = leds.pins();
    let mut parts = Parts {
        sensor: Rows(VecDeque::new()),
        button_a: button_a.clone(),
        button_b: button_b.clone(),
        display: Matrix { rows, columns },
        clock: clock.clone(),
        delay: clock.clone(),
    };
    let mut store = backpass::checkpoint::Store::new(Flash::new(32), 0..32 * 4096).unwrap();
    let switch_on = |store: &mut _| {
        let mut app = Gesture::<3, 4, Window3>::new(Box::leak(Box::new(Ram::new())), settings());
        let mut events = Vec::new();
        app.start(store, &mut |event| events.push(event));
        (app, events)
    };
    let (mut app, events) = switch_on(&mut store);
    assert_eq!(events, [Event::Fresh]);
    let mut predicted = Vec::new();
    for class in 0..3 {
        if class > 0 && resets {
            let windows = app.windows();
            let events;
            (app, events) = switch_on(&mut store);
            assert_eq!(events, [Event::Resumed { windows }]);
        }
        let mut play = |rows: &[[f32; 6]]| {
            for row in rows {
                parts.sensor.0.push_back([row[0], row[1], row[2]]);
                app.step(&mut parts, &mut store, &mut |event| {
                    if let Event::Predicted { class, confidence } = event {
                        predicted.push((class, confidence.to_bits()));
                    }
                });
            }
        };
        lesson(class, &mut play, &button_a, &button_b);
    }
    predicted.clear();
    for class in 0..3 {
        for row in recordings(class, true).iter().flat_map(|recording| &recording.rows) {
            parts.sensor.0.push_back([row[0], row[1], row[2]]);
            app.step(&mut parts, &mut store, &mut |event| {
                if let Event::Predicted { class, confidence } = event {
                    predicted.push((class, confidence.to_bits()));
                }
            });
        }
    }
    (parameters_crc32(app.learner().params()), predicted)
}

/// A lesson of a class: button B where it is not the first, then button A.
fn lesson(class: usize, play: &mut dyn FnMut(&[[f32; 6]]), button_a: &Button, button_b: &Button) {
    let still = [[0.0, 0.0, 9.81, 0.0, 0.0, 0.0], [0.01, 0.0, 9.8, 0.0, 0.0, 0.0]];
    play(&still);
    if class > 0 {
        button_b.press();
        play(&still[..1]);
        button_b.release();
        play(&still);
    }
    button_a.press();
    recordings(class, false).iter().take(4).for_each(|recording| play(&recording.rows));
    button_a.release();
    // Until it was rehearsed: a reset before begins the rehearsal anew.
    (0..60).for_each(|_| play(&still));
}

#[test]
fn a_device_that_is_reset_learns_on_bit_for_bit() {
    let (bits, predicted) = three_lessons(false);
    assert!(predicted.len() > 100);
    assert_eq!(three_lessons(true), (bits, predicted));
}
