//! The anomaly application on a simulated board: what it finds in real recordings, what goes wrong, and what a reset leaves.

use std::thread;

use backpass_app::anomaly::{Anomaly, Event, Ram, Settings, Window3};
use backpass_app::device::sensors::Lsm303agrSensor;
use backpass_app::device::{Fault, PushButton, SaveError, SensorError, Sign};
use backpass_sim::devices::{self, Bus, Clock};
use backpass_sim::flash::Operation;
use backpass_sim::world::recordings::SHOULDER_EXERCISES_RATE as RATE;
use backpass_sim::world::{Board, BoardSensor, Flash, anomaly};

#[test]
fn everybodys_anomalies_are_found_better_than_by_a_plain_threshold() {
    thread::scope(|scope| {
        let runs: Vec<_> = (1..=anomaly::PEOPLE)
            .map(|person| {
                (
                    person,
                    scope.spawn(move || {
                        let settings = Settings { seed: person as u64, ..Settings::at_rate(RATE, 120) };
                        anomaly::run(
                            &anomaly::shoulder_exercises(person),
                            BoardSensor::Lsm303agr,
                            settings,
                            &mut |_| {},
                        )
                    }),
                )
            })
            .collect();
        for (person, run) in runs {
            let outcome = run.join().unwrap();
            let [auc, deviation, distance] = [outcome.auc(), outcome.auc_of_deviation(), outcome.auc_of_distance()];
            let [before, after] = outcome.drift_shares();
            println!(
                "person {person}: AUC {auc:.3}, of the deviation {deviation:.3}, of its distance {distance:.3}; {:?}; above the threshold {before:.2}, {after:.2}",
                outcome.drift
            );
            assert!(auc >= 0.9 && auc > deviation && auc > distance, "person {person}");
            assert!(outcome.faults.is_empty() && outcome.drift.false_alarm.is_none(), "person {person}");
            // Another person's strokes: where most of their windows are abnormal, that is noticed, and learned.
            if before > 0.9 {
                let drift = outcome.drift;
                assert!(drift.begun < drift.noticed && drift.noticed < drift.learned, "person {person}: {drift:?}");
                assert!(after < 0.2, "person {person}: {after}");
            } else if before < 0.5 {
                assert_eq!(outcome.drift.noticed, None, "person {person}: {before}");
            }
        }
    });
}

/// A board on a machine.
struct Machine {
    board: Board<Lsm303agrSensor<Bus, Clock>>,
    app: Anomaly<'static, 3, Window3>,
    first: Vec<Event>,
    turn: usize,
}

/// What the machine does.
#[derive(Clone, Copy)]
enum Doing {
    /// It runs as always.
    Normal,
    /// It shakes.
    Shaking,
}

const LEARNING: u32 = 40;

fn settings() -> Settings {
    Settings { learning_windows: LEARNING, ..Settings::at_rate(RATE, 60) }
}

impl Machine {
    fn switch_on(mut board: Board<Lsm303agrSensor<Bus, Clock>>) -> Self {
        let mut app = Anomaly::new(Box::leak(Box::new(Ram::new())), settings());
        let mut first = Vec::new();
        app.start(&mut board.store, &mut |event| first.push(event));
        Self { board, app, first, turn: 0 }
    }

    fn run(&mut self, doing: Doing, rows: usize) -> Vec<Event> {
        let now = (self.board.clock.now().as_secs_f64() * f64::from(RATE)).round() as usize;
        let strength = match doing {
            Doing::Normal => 1.0,
            Doing::Shaking => 6.0,
        };
        let mut row = || {
            self.turn += 1;
            let phase = self.turn as f32;
            let [a, b] = [(phase * 0.7).sin(), (phase * 0.31).sin()];
            [strength * a, 0.5 * strength * b, 9.81 + 0.3 * strength * a * b, 0.0, 0.0, 0.0]
        };
        let behind = now.saturating_sub(self.board.motion.len());
        let rows: Vec<_> = std::iter::repeat_with(&mut row).take(behind + rows).collect();
        let steps = rows.len() - behind;
        self.board.motion.extend(rows);
        let mut events = Vec::new();
        for _ in 0..steps {
            self.app.step(&mut self.board.parts, &mut self.board.store, &mut |event| events.push(event));
        }
        events
    }

    /// Learns until it watches.
    fn learn(&mut self) -> Vec<Event> {
        let events = self.run(Doing::Normal, (LEARNING as usize + 6) * 8);
        assert!(!self.app.is_learning(), "{events:?}");
        events
    }

    /// Whether it takes the machine for what it is.
    fn tells_normal_from_shaking(&mut self) -> bool {
        self.run(Doing::Normal, 150);
        let normal = self.app.is_alarm();
        self.run(Doing::Shaking, 150);
        !normal && self.app.is_alarm()
    }

    fn fault_is_lit(&mut self) -> bool {
        let _ = self.board.leds.seen();
        self.run(Doing::Normal, 1);
        self.app.face().fault && self.board.leds.seen()[0][0]
    }
}

fn machine() -> Machine {
    Machine::switch_on(Board::lsm303agr(RATE))
}

fn faults(events: &[Event]) -> Vec<Fault> {
    events.iter().filter_map(|event| if let Event::Fault(fault) = event { Some(*fault) } else { None }).collect()
}

fn count(events: &[Event], is: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| is(event)).count()
}

#[test]
fn an_alarm_has_hysteresis() {
    let mut machine = machine();
    assert_eq!(machine.first, [Event::LearningBegins]);
    let events = machine.learn();
    assert_eq!(count(&events, |event| matches!(event, Event::Learned { .. })), LEARNING as usize);
    assert_eq!(count(&events, |event| matches!(event, Event::LearningEnds { .. })), 1);
    assert_eq!(count(&machine.run(Doing::Normal, 400), |event| *event == Event::AlarmBegins), 0);
    // One window above the threshold is no alarm; several are one alarm, not many.
    let events = machine.run(Doing::Shaking, 200);
    let above = |event: &Event| matches!(event, Event::Watched { error, .. } if *error > machine.app.threshold());
    let first = events.iter().position(above).unwrap();
    let alarm = events.iter().position(|event| *event == Event::AlarmBegins).unwrap();
    let between = count(&events[first..alarm], |event| matches!(event, Event::Watched { .. }));
    assert_eq!(between, settings().raise_after as usize);
    assert_eq!(count(&events, |event| *event == Event::AlarmBegins), 1);
    assert!(matches!(machine.app.face().sign, Sign::Watching { alarm: true, .. }));
    // It ends only after several calm windows.
    let events = machine.run(Doing::Normal, 200);
    let end = events.iter().position(|event| *event == Event::AlarmEnds).unwrap();
    let calm = |event: &Event| matches!(event, Event::Watched { error, .. } if *error < machine.app.threshold());
    assert!(count(&events[..end], calm) >= settings().end_after as usize);
    assert_eq!(count(&events, |event| *event == Event::AlarmEnds), 1);
}

#[test]
fn button_a_learns_anew_and_button_b_ends_an_alarm() {
    let mut machine = machine();
    machine.learn();
    machine.run(Doing::Shaking, 150);
    assert!(machine.app.is_alarm());
    machine.board.button_b.press();
    assert!(machine.run(Doing::Shaking, 1).contains(&Event::AlarmEnds) && !machine.app.is_alarm());
    machine.board.button_b.release();
    machine.board.button_a.press();
    assert!(machine.run(Doing::Shaking, 1).contains(&Event::LearningBegins) && machine.app.is_learning());
    machine.board.button_a.release();
    // What shakes is normal from now on.
    let events = machine.run(Doing::Shaking, (LEARNING as usize + 6) * 8);
    assert!(events.iter().any(|event| matches!(event, Event::Saved { .. })));
    let events = machine.run(Doing::Shaking, 300);
    assert_eq!(count(&events, |event| *event == Event::AlarmBegins), 0);
}

#[test]
fn what_is_normal_survives_a_reset_bit_for_bit() {
    let mut machine = machine();
    machine.learn();
    let (threshold, parameters) = (machine.app.threshold(), *machine.app.learner().params());
    let Machine { board, turn, .. } = machine;
    let mut machine = Machine { turn, ..Machine::switch_on(board) };
    assert_eq!(machine.first, [Event::Resumed { threshold }]);
    assert_eq!(*machine.app.learner().params(), parameters);
    assert!(machine.tells_normal_from_shaking());
    // Without anything saved it learns.
    machine.board.set_flash(Flash::new(32));
    assert_eq!(Machine::switch_on(machine.board).first, [Event::LearningBegins]);
}

#[test]
fn faults_are_told_of_once_and_shown_and_the_rest_goes_on() {
    for (fault, expected) in [
        (devices::Fault::NoAcknowledge, Fault::Sensor(SensorError::NoAnswer)),
        (devices::Fault::BusError, Fault::Sensor(SensorError::Bus)),
        (devices::Fault::ArbitrationLoss, Fault::Sensor(SensorError::Bus)),
        (devices::Fault::StuckData, Fault::SensorStuck),
    ] {
        let mut machine = machine();
        // In the middle of learning.
        machine.run(Doing::Normal, 100);
        machine.board.bus.set_fault(fault);
        assert_eq!(faults(&machine.run(Doing::Normal, 200)), [expected], "{fault:?}");
        assert!(machine.fault_is_lit(), "{fault:?}");
        machine.board.bus.set_fault(devices::Fault::None);
        let events = machine.run(Doing::Normal, 40);
        assert_eq!(count(&events, |event| matches!(event, Event::SensorBack { .. })), 1, "{fault:?}");
        assert!(!machine.fault_is_lit());
        machine.learn();
        // And while it watches.
        machine.board.bus.set_fault(fault);
        let events = machine.run(Doing::Normal, 200);
        assert_eq!((faults(&events), machine.app.is_alarm()), (vec![expected], false), "{fault:?}");
        machine.board.bus.set_fault(devices::Fault::None);
        assert!(machine.tells_normal_from_shaking(), "{fault:?}");
    }
}

#[test]
fn buttons_that_fail_change_nothing() {
    let mut machine = machine();
    machine.learn();
    machine.board.button_b.set_broken(true);
    assert_eq!(faults(&machine.run(Doing::Normal, 10)), [Fault::ButtonUnreadable(PushButton::B)]);
    assert!(machine.fault_is_lit());
    machine.board.button_b.set_broken(false);
    machine.run(Doing::Normal, 3);
    machine.board.button_b.press();
    let longest = (settings().longest_press * RATE) as usize;
    assert_eq!(faults(&machine.run(Doing::Normal, longest + 20)), [Fault::ButtonStuck(PushButton::B)]);
    assert!(machine.tells_normal_from_shaking());
}

#[test]
fn without_a_working_flash_it_watches_all_the_same() {
    let mut machine = machine();
    machine.board.set_flash(Flash::new(2));
    let too_small = |event: &Event| matches!(event, Event::NotSaved(SaveError::TooSmall { needed, available: 8192 }) if *needed > 8192);
    assert_eq!(count(&machine.learn(), too_small), 1);
    assert!(machine.fault_is_lit() && machine.tells_normal_from_shaking());

    let mut machine = self::machine();
    let mut worn = Flash::new(32);
    worn.fail(Operation::Write, 0, u64::MAX);
    machine.board.set_flash(worn);
    assert!(machine.learn().contains(&Event::NotSaved(SaveError::Flash)));
    assert!(machine.fault_is_lit() && machine.tells_normal_from_shaking());
}
