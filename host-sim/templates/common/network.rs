//! The network, and how it learns.
//!
//! {{line}}

use backpass::{{{names}}};
use backpass_app::stream::frame;
{{weights_import}}
/// The network as a line, for `backpass-sim budget --network`.
pub const LINE: &str = "{{line}}";
/// A sample.
pub type Input = {{input}};
{{types}}
{{output_type}}/// What is made small.
pub type Goal = {{goal}};
/// What a sample is to give.
pub type Target = {{target}};
/// The rule by which it learns.
pub type Rule = {{rule}};
/// All that it learns in.
pub type Ram = Memory<Net, Input, Rule>;

// More than planned does not compile.
const _: () = assert!(size_of::<Ram>() <= {{ram}});

/// What is made small.
pub const GOAL: Goal = {{goal}};
/// The learning rate is the number to try out first.
pub const RULE: Rule = {{rule_value}};
/// The seed of the first weights.
pub const SEED: u64 = 1;
/// Bytes of the longest message on the line.
pub const FRAME: usize = frame::longest({{numbers}});
/// Steps of the check at switch-on.
pub const CHECK_STEPS: u32 = {{check_steps}};
/// Targets of the check's samples.
pub static TARGETS: [Target; {{targets}}] = {{target_values}};

/// The network.
pub fn network() -> Net {
    {{value}}
}

/// Random numbers from -1 to 1, always the same for an index.
pub fn draw(input: &mut Input, index: usize) {
    let mut rng = Rng::new(index as u64);
    input.flat_mut().iter_mut().for_each(|value| *value = rng.symmetric(1.0));
}
