//! An emulated board is killed again and again, mostly while it saves, and restarted: it goes on from the newest checkpoint that it
//! has reported, and comes to the same bits as its twin, which nobody has interrupted.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use backpass::Rng;
use backpass_app::resume::{BETWEEN, FLASH, Ram, Run, State};

use super::{Check, CheckError, Effort, Progress, Tally};
use crate::board::{self, BoardError, Image, Machine, Profile, Program};

const MACHINE: Machine = Machine::Mps2An386;

pub(super) const CHECK: Check = Check {
    name: "kills",
    about: "an emulated board killed while it saves, restarted, and held against its twin",
    machine: Some(MACHINE),
    run: check,
};

/// A board that says nothing for so long hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of so many kills one comes at any time after the start, perhaps before the board has loaded anything; the others come later.
const EARLY: u64 = 8;
/// Of so many kills at least one must come inside a save, or the check has not tried what it is for.
const INSIDE: u64 = 4;

/// A line of the board's log.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Begun(State),
    Resumed(u32, State),
    Saving,
    Committed(u32, State),
    /// An error, or nothing that it should say.
    Other(String),
}

impl Said {
    fn parse(message: &str) -> Self {
        let state = |observed: &str, crc32: &str, loss: &str| {
            let crc32 = u32::from_str_radix(crc32, 16).ok()?;
            Some(State { observed: observed.parse().ok()?, crc32, loss: loss.parse().ok()? })
        };
        let said = match *message.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["saving"] => Some(Self::Saving),
            ["begun", "observed", observed, "crc32", crc32, "loss", loss] => {
                state(observed, crc32, loss).map(Self::Begun)
            }
            [what, sequence, "observed", observed, "crc32", crc32, "loss", loss] => {
                match (what, sequence.parse(), state(observed, crc32, loss)) {
                    ("resumed", Ok(sequence), Some(state)) => Some(Self::Resumed(sequence, state)),
                    ("committed", Ok(sequence), Some(state)) => Some(Self::Committed(sequence, state)),
                    _ => None,
                }
            }
            _ => None,
        };
        said.unwrap_or_else(|| Self::Other(message.to_owned()))
    }
}

/// The same learning in memory alone, without any interruption.
struct Twin {
    run: Run<'static>,
    states: BTreeMap<u32, State>,
}

impl Twin {
    fn new() -> Self {
        // A few kilobytes for each check; a run borrows its memory for as long as it lives.
        let run = Run::new(Box::leak(Box::new(Ram::new())));
        Self { states: BTreeMap::from([(0, run.state())]), run }
    }

    /// Where it is after so many samples, if a checkpoint is made there.
    fn at(&mut self, observed: u32) -> Option<State> {
        while self.run.state().observed < observed && observed.is_multiple_of(BETWEEN) {
            self.run.train(BETWEEN);
            let state = self.run.state();
            self.states.insert(state.observed, state);
        }
        self.states.get(&observed).copied()
    }

    fn check(&mut self, state: State) -> Result<(), String> {
        match self.at(state.observed) {
            Some(twin) if twin.crc32 == state.crc32 && twin.loss.to_bits() == state.loss.to_bits() => Ok(()),
            twin => Err(format!("the board has {state:?}, the twin {twin:?}")),
        }
    }
}

/// What is known of the board from what it said.
struct Judge {
    twin: Twin,
    /// The newest checkpoint that it has reported.
    newest: Option<(u32, State)>,
    commits: u64,
    /// The loss in the first checkpoint.
    first_loss: f32,
}

impl Judge {
    /// Whether this can be the checkpoint after the newest. Its number may be larger by more than one: those of saves that were cut
    /// short are not used again.
    fn is_next(&self, sequence: u32, state: State) -> bool {
        let (last, observed) = self.newest.map_or((0, 0), |(last, state)| (last, state.observed));
        sequence > last && state.observed == observed + BETWEEN
    }

    /// Holds what the board said between a start and a kill against the twin and what it said before.
    fn judge(&mut self, said: &[Said]) -> Result<(), String> {
        for (position, said) in said.iter().enumerate() {
            match (said, self.newest) {
                (Said::Begun(state), None) if position == 0 => self.twin.check(*state)?,
                (Said::Resumed(sequence, state), newest) if position == 0 => {
                    self.twin.check(*state)?;
                    // It is the last that was reported, or one more, which the kill has kept the board from reporting.
                    let is_reported =
                        newest.is_some_and(|(last, then)| (last, then.observed) == (*sequence, state.observed));
                    if !is_reported && !self.is_next(*sequence, *state) {
                        return Err(format!("it resumed from {sequence}, {state:?}, after {newest:?}"));
                    }
                    self.newest = Some((*sequence, *state));
                }
                (Said::Saving, _) if position > 0 => {}
                (Said::Committed(sequence, state), newest) if position > 0 => {
                    self.twin.check(*state)?;
                    if !self.is_next(*sequence, *state) {
                        return Err(format!("it committed {sequence}, {state:?}, after {newest:?}"));
                    }
                    self.newest = Some((*sequence, *state));
                    self.commits += 1;
                    if self.commits == 1 {
                        self.first_loss = state.loss;
                    }
                }
                _ => return Err(format!("it said {said:?} after {:?}", self.newest)),
            }
        }
        Ok(())
    }
}

/// When a board is killed.
#[derive(Debug, Clone, Copy)]
enum When {
    /// So long after the start.
    Started(Duration),
    /// So long after it has begun to learn.
    Resumed(Duration),
    /// When it has made so many checkpoints.
    Committed(usize),
}

/// Starts the board, kills it, and returns what it said, each with the time since the start.
fn boot(program: &Program, folder: &Path, when: When) -> Result<Vec<(Said, Duration)>, CheckError> {
    let started = Instant::now();
    let mut board = program.start(MACHINE, Some(folder))?;
    let (mut said, mut end) = (Vec::new(), None);
    if let When::Started(delay) = when {
        end = Some(started + delay);
    }
    loop {
        let patience = end.map_or(PATIENCE, |end: Instant| end.saturating_duration_since(Instant::now()));
        match board.message(patience) {
            Ok(Some(message)) => {
                said.push((Said::parse(&message), started.elapsed()));
                if let (When::Resumed(delay), 1) = (when, said.len()) {
                    end = Some(Instant::now() + delay);
                }
                let commits = said.iter().filter(|(said, _)| matches!(said, Said::Committed(..))).count();
                if matches!(when, When::Committed(wanted) if commits >= wanted) {
                    break;
                }
            }
            Err(BoardError::Silent { .. }) if end.is_some() => break,
            Err(error) => return Err(error.into()),
            Ok(None) => {
                board.finish()?;
                return Err(CheckError::Broken(format!("the board ended by itself; it said {said:?}")));
            }
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
    }
    board.kill();
    // What it had said before it was killed.
    while let Some(message) = board.message(PATIENCE)? {
        said.push((Said::parse(&message), started.elapsed()));
    }
    Ok(said)
}

fn check(effort: Effort, progress: &mut Progress<'_>) -> Result<Tally, CheckError> {
    let kills = effort.choose(10, 200);
    let image = board::build(Image::Resume, MACHINE, Profile::Release, &board::firmware_folder())?;
    let program = Program::load(&image)?;
    let folder = tempfile::tempdir()?;
    let mut judge = Judge { twin: Twin::new(), newest: None, commits: 0, first_loss: f32::NAN };
    let mut tally = Tally::default();

    // Once without haste: how long do a start and a save take here?
    let calm = boot(&program, folder.path(), When::Committed(4))?;
    let texts = |said: &[(Said, Duration)]| said.iter().map(|(said, _)| said.clone()).collect::<Vec<_>>();
    judge.judge(&texts(&calm)).map_err(CheckError::Broken)?;
    let times: Vec<_> =
        calm.iter().filter(|(said, _)| matches!(said, Said::Committed(..))).map(|(_, at)| *at).collect();
    let (start, cycle) = (calm[0].1, (times[times.len() - 1] - times[0]) / (times.len() as u32 - 1));

    let mut rng = Rng::new(1);
    let (mut inside, mut early) = (0, 0);
    for kill in 1..=kills {
        let when = if kill % EARLY == 0 {
            When::Started(start.mul_f32(1.2 * rng.unit()))
        } else {
            When::Resumed(cycle.mul_f32(2.0 * rng.unit()))
        };
        let said = texts(&boot(&program, folder.path(), when)?);
        inside += u64::from(said.last() == Some(&Said::Saving));
        early += u64::from(said.is_empty());
        let mut result = judge.judge(&said);
        if kill == kills {
            // It goes on from the last kill, too.
            let said = texts(&boot(&program, folder.path(), When::Committed(2))?);
            result = result.and(judge.judge(&said));
        }
        tally.count(result.map_err(|failure| format!("kill {kill}: {failure}")));
        progress(kill, kills);
    }
    if inside * INSIDE < kills {
        return Err(CheckError::Broken(format!(
            "only {inside} of {kills} kills fell into a save: too few to show anything"
        )));
    }
    let (last, state) = judge.newest.ok_or_else(|| CheckError::Broken("no checkpoint was made".to_owned()))?;
    let has_learned = state.loss < 0.5 * judge.first_loss;
    if effort == Effort::Full && !has_learned {
        tally.failed += 1;
        tally.failures.push(format!("the loss went from {} to {}: it has not learned", judge.first_loss, state.loss));
    }
    tally.note = format!(
        "on {MACHINE}, {inside} inside a save, {early} before it had loaded; {last} checkpoints of {} KB, {} samples, loss {:.2} to {:.2}, \
         the twin's bits",
        FLASH / 2048,
        state.observed,
        judge.first_loss,
        state.loss
    );
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_board_says() {
        let state = State { observed: 32, crc32: 0x00ff_12ab, loss: 0.25 };
        assert_eq!(Said::parse("begun observed 32 crc32 00ff12ab loss 0.25"), Said::Begun(state));
        assert_eq!(Said::parse("resumed 2 observed 32 crc32 00ff12ab loss 0.25"), Said::Resumed(2, state));
        assert_eq!(Said::parse("committed 2 observed 32 crc32 00ff12ab loss 0.25"), Said::Committed(2, state));
        assert_eq!(Said::parse("saving"), Said::Saving);
        for text in ["", "resumed x observed 32 crc32 00ff12ab loss 0.25", "flash: Host"] {
            assert_eq!(Said::parse(text), Said::Other(text.to_owned()));
        }
    }

    #[test]
    fn only_what_can_follow_is_accepted() {
        let judge = |boots: &[&[Said]]| {
            let mut judge = Judge { twin: Twin::new(), newest: None, commits: 0, first_loss: 0.0 };
            boots.iter().try_for_each(|said| judge.judge(said))
        };
        let mut twin = Twin::new();
        let mut at = |observed| twin.at(observed).unwrap();
        let (start, first, second, third) = (at(0), at(16), at(32), at(48));
        let begin: &[Said] = &[Said::Begun(start), Said::Saving, Said::Committed(1, first), Said::Saving];
        assert_eq!(judge(&[begin, &[Said::Resumed(1, first), Said::Saving, Said::Committed(2, second)]]), Ok(()));
        // It may have saved more than it could report, and be killed before it can say anything.
        assert_eq!(judge(&[begin, &[], &[Said::Resumed(2, second)]]), Ok(()));
        let other = State { crc32: 1, ..second };
        for wrong in [
            Said::Begun(start),
            Said::Resumed(0, start),
            Said::Resumed(1, second),
            Said::Resumed(3, first),
            Said::Resumed(2, third),
            Said::Resumed(2, other),
            Said::Resumed(2, State { loss: 0.1, ..second }),
            Said::Other("flash: Host".to_owned()),
        ] {
            assert!(judge(&[begin, std::slice::from_ref(&wrong)]).is_err(), "{wrong:?}");
        }
        assert!(judge(&[begin, &[Said::Resumed(1, first), Said::Committed(2, other)]]).is_err());
        assert!(judge(&[begin, &[Said::Resumed(1, first), Said::Committed(1, second)]]).is_err());
        assert!(judge(&[begin, &[Said::Resumed(1, first), Said::Committed(2, third)]]).is_err());
    }
}
