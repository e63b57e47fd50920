//! Holds the loops in the FPU's instructions against those in plain Rust, bit by bit, over random shapes and values: zeros of both
//! signs, subnormals, the largest numbers and, where they may come, infinities and NaN.

#![no_std]
#![no_main]

use core::hint::black_box;

use backpass::Rng;
use backpass_arch::{Descent, Left, Meeting, Runs, Start, Sums, Walk, Window};
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};
use defmt_semihosting as _;
use portable_atomic as _;
use static_cell::ConstStaticCell;

#[path = "../stop.rs"]
mod stop;

/// Cases of each function.
const CASES: u32 = 1500;
/// Inputs of the square root: each sign and exponent with 2^15 mantissas.
const ROOTS: u32 = 1 << 24;
/// Elements of each array.
const LEN: usize = 2048;
/// Elements behind a slice that must stay as they are.
const GUARD: usize = 8;

/// What a function reads and writes.
struct Arrays {
    a: [f32; LEN],
    b: [f32; LEN],
    c: [f32; LEN],
    d: [f32; LEN],
}

/// What a function returns; the rest is zero.
type Returned = [f32; 4];
const NOTHING: Returned = [0.0; 4];

/// Values that an array is drawn from.
#[derive(Clone, Copy, PartialEq)]
enum Values {
    /// From -1 to 1.
    Plain,
    /// Half of them zeros, some of these negative.
    Sparse,
    /// Zeros, the smallest, the largest and ordinary numbers.
    Extreme,
    /// Any bits, infinities and NaN among them.
    Any,
}

const ALL: [Values; 4] = [Values::Plain, Values::Sparse, Values::Extreme, Values::Any];
const FINITE: [Values; 3] = [Values::Plain, Values::Sparse, Values::Extreme];

impl Arrays {
    const ZEROS: Self = Self { a: [0.0; LEN], b: [0.0; LEN], c: [0.0; LEN], d: [0.0; LEN] };
}

static DRAWN: ConstStaticCell<Arrays> = ConstStaticCell::new(Arrays::ZEROS);
static HERE: ConstStaticCell<Arrays> = ConstStaticCell::new(Arrays::ZEROS);
static THERE: ConstStaticCell<Arrays> = ConstStaticCell::new(Arrays::ZEROS);

/// The comparison of one function.
struct Comparison<'c> {
    rng: Rng,
    drawn: &'c mut Arrays,
    here: &'c mut Arrays,
    there: &'c mut Arrays,
    found: Found,
}

/// What was found.
struct Found {
    name: &'static str,
    values: u32,
    differing: u32,
}

impl Comparison<'_> {
    /// A number from `least` to `most`.
    fn number(&mut self, least: usize, most: usize) -> usize {
        least + self.rng.below((most - least + 1) as u32) as usize
    }

    /// `len`, or one less in one case of sixteen: too little for the shape.
    fn perhaps_short(&mut self, len: usize) -> usize {
        if self.rng.below(16) == 0 { len.saturating_sub(1) } else { len }
    }

    /// Draws the first `len` elements of each array, and those behind them.
    fn draw(&mut self, len: usize, kinds: &[Values]) {
        let rng = &mut self.rng;
        let Arrays { a, b, c, d } = &mut *self.drawn;
        for array in [a, b, c, d] {
            let kind = kinds[rng.below(kinds.len() as u32) as usize];
            array[..len + GUARD].iter_mut().for_each(|value| *value = draw(rng, kind));
        }
    }

    /// Runs both on the same arrays, of which so many elements were drawn, and compares all that they leave and return.
    fn compare(&mut self, len: usize, here: impl Fn(&mut Arrays) -> Returned, there: impl Fn(&mut Arrays) -> Returned) {
        let len = len + GUARD;
        for copy in [&mut *self.here, &mut *self.there] {
            copy.a[..len].copy_from_slice(&self.drawn.a[..len]);
            copy.b[..len].copy_from_slice(&self.drawn.b[..len]);
            copy.c[..len].copy_from_slice(&self.drawn.c[..len]);
            copy.d[..len].copy_from_slice(&self.drawn.d[..len]);
        }
        let (returned, other) = (here(black_box(&mut *self.here)), there(black_box(&mut *self.there)));
        let (Arrays { a, b, c, d }, there) = (&*self.here, &*self.there);
        let found = &mut self.found;
        found.compare("returned", &returned, &other);
        found.compare("a", &a[..len], &there.a[..len]);
        found.compare("b", &b[..len], &there.b[..len]);
        found.compare("c", &c[..len], &there.c[..len]);
        found.compare("d", &d[..len], &there.d[..len]);
    }
}

impl Found {
    fn compare(&mut self, what: &str, here: &[f32], there: &[f32]) {
        for (index, (here, there)) in here.iter().zip(there).enumerate() {
            self.values += 1;
            // One NaN is as good as another.
            if here.to_bits() != there.to_bits() && !(here.is_nan() && there.is_nan()) {
                if self.differing < 5 {
                    let (name, here, there) = (self.name, here.to_bits(), there.to_bits());
                    defmt::warn!("{=str}: {=str} {} is {=u32:08x}, not {=u32:08x}", name, what, index, here, there);
                }
                self.differing += 1;
            }
        }
    }
}

fn draw(rng: &mut Rng, kind: Values) -> f32 {
    const EXTREME: [f32; 12] = [
        0.0,
        -0.0,
        f32::from_bits(1),
        -f32::from_bits(1),
        f32::from_bits(0x007f_ffff),
        f32::MIN_POSITIVE,
        -f32::MIN_POSITIVE,
        f32::MAX,
        f32::MIN,
        1e-20,
        -1e19,
        1.0,
    ];
    match (kind, rng.below(16)) {
        (Values::Sparse, 0) => -0.0,
        (Values::Sparse, 1..8) => 0.0,
        (Values::Extreme, 0..10) => EXTREME[rng.below(EXTREME.len() as u32) as usize],
        (Values::Any, 0) => f32::NAN,
        (Values::Any, 1) => f32::INFINITY,
        (Values::Any, 2) => f32::NEG_INFINITY,
        (Values::Any, 3..8) => EXTREME[rng.below(EXTREME.len() as u32) as usize],
        (Values::Any, 8..12) => f32::from_bits(rng.below(1 << 16) << 16 | rng.below(1 << 16)),
        _ => rng.symmetric(1.0),
    }
}

/// Compares a function of both: in the body, `arch` is the one or the other.
macro_rules! both {
    ($comparison:ident, $len:expr, |$arrays:ident| $body:expr) => {
        $comparison.compare(
            $len,
            |$arrays| {
                use backpass_arch as arch;
                $body
            },
            |$arrays| {
                use backpass_arch::portable as arch;
                $body
            },
        )
    };
}

/// What draws one case of a function and compares it.
type Case = fn(&mut Comparison<'_>);

/// Each function that there are two of, by name.
const FUNCTIONS: &[(&str, Case)] = &[
    ("product", product),
    ("outer", |c| {
        outer(c, |arrays, shape| {
            both!(arrays, shape.len(), |v| {
                arch::outer(&v.a[..shape.x], &v.b[..shape.dy], &mut v.c[..shape.matrix]);
                NOTHING
            })
        })
    }),
    ("add_outer", |c| {
        outer(c, |arrays, shape| {
            both!(arrays, shape.len(), |v| {
                arch::add_outer(&v.a[..shape.x], &v.b[..shape.dy], &mut v.c[..shape.matrix]);
                NOTHING
            })
        })
    }),
    ("descend_outer", |c| {
        outer(c, |arrays, shape| {
            let rate = draw(&mut arrays.rng, Values::Plain);
            both!(arrays, shape.len(), |v| {
                arch::descend_outer(&v.a[..shape.x], &v.b[..shape.dy], &mut v.c[..shape.matrix], rate);
                NOTHING
            });
        })
    }),
    ("outer_rows", |c| {
        outer(c, |arrays, shape| {
            both!(arrays, shape.len(), |v| {
                arch::outer_rows(&mut v.a[..shape.x], &v.d[..shape.matrix], &v.b[..shape.dy], &mut v.c[..shape.matrix]);
                NOTHING
            })
        })
    }),
    ("add_outer_rows", |c| {
        outer(c, |arrays, shape| {
            both!(arrays, shape.len(), |v| {
                arch::add_outer_rows(
                    &mut v.a[..shape.x],
                    &v.d[..shape.matrix],
                    &v.b[..shape.dy],
                    &mut v.c[..shape.matrix],
                );
                NOTHING
            })
        })
    }),
    ("descend_rows", |c| {
        outer(c, |arrays, shape| {
            let rate = draw(&mut arrays.rng, Values::Plain);
            both!(arrays, shape.len(), |v| {
                arch::descend_rows(&mut v.a[..shape.x], &mut v.c[..shape.matrix], &v.b[..shape.dy], rate);
                NOTHING
            });
        })
    }),
    ("dot", |c| {
        let (len, _) = lengths(c);
        both!(c, len, |v| [arch::dot(&v.a[..len], &v.b[..len]), 0.0, 0.0, 0.0]);
    }),
    ("magnitude", |c| {
        let (len, _) = lengths(c);
        both!(c, len, |v| [arch::magnitude(&v.a[..len]), 0.0, 0.0, 0.0]);
    }),
    ("copy", |c| {
        let (len, shorter) = lengths(c);
        both!(c, len, |v| {
            arch::copy(&v.a[..len], &mut v.b[..shorter]);
            NOTHING
        });
    }),
    ("relu", |c| {
        let (len, _) = lengths(c);
        both!(c, len, |v| {
            arch::relu(&mut v.a[..len]);
            NOTHING
        });
    }),
    ("descend", descend),
    ("sums", |c| {
        sums(c, |arrays, len, shape, [x, weight, y]| {
            let start = start(arrays);
            both!(arrays, len, |v| {
                let start = start.of(&v.d[..shape.outputs]);
                arch::sums(&v.a[..x], &v.b[..weight], start, &mut v.c[..y], &shape);
                NOTHING
            });
        })
    }),
    ("descend_sums", |c| {
        sums(c, |arrays, len, shape, [x, weight, y]| {
            let rate = draw(&mut arrays.rng, Values::Plain);
            both!(arrays, len, |v| {
                arch::descend_sums(&v.a[..x], &v.b[..weight], &mut v.c[..y], rate, &shape);
                NOTHING
            });
        })
    }),
    ("meet", meet),
    ("meet_input", meet_input),
    ("add_window", add_window),
    ("meet_window", meet_window),
    ("window_max", window_max),
];

fn product(c: &mut Comparison<'_>) {
    let (outputs, inputs) = (c.number(0, 40), c.number(0, 12));
    let stride = outputs + c.number(0, 2);
    let weight = c.perhaps_short(inputs.saturating_sub(1) * stride + outputs);
    let len = inputs.max(weight).max(outputs);
    c.draw(len, &ALL);
    let start = start(c);
    both!(c, len, |v| {
        let start = start.of(&v.d[..outputs]);
        arch::product(&v.a[..inputs], &v.b[..weight], stride, start, &mut v.c[..outputs]);
        NOTHING
    });
}

/// What sums are to start from.
#[derive(Clone, Copy)]
enum From {
    Zero,
    Kept,
    TooFew,
    Values,
}

impl From {
    fn of(self, values: &[f32]) -> Start<'_> {
        match self {
            Self::Zero => Start::Zero,
            Self::Kept => Start::Kept,
            // Nothing is computed.
            Self::TooFew => Start::At(&values[..values.len().saturating_sub(1)]),
            Self::Values => Start::At(values),
        }
    }
}

fn start(c: &mut Comparison<'_>) -> From {
    match c.rng.below(8) {
        0 => From::TooFew,
        1..3 => From::Zero,
        3..5 => From::Kept,
        _ => From::Values,
    }
}

/// The lengths of a vector, another one and a matrix of both.
#[derive(Clone, Copy)]
struct Outer {
    x: usize,
    dy: usize,
    matrix: usize,
}

impl Outer {
    fn len(self) -> usize {
        self.matrix.max(self.x).max(self.dy)
    }
}

fn outer(c: &mut Comparison<'_>, compare: impl Fn(&mut Comparison<'_>, Outer)) {
    let (x, dy) = (c.number(0, 9), c.number(0, 40));
    let matrix = c.perhaps_short(x * dy);
    let shape = Outer { x, dy, matrix };
    c.draw(shape.len(), &ALL);
    compare(c, shape);
}

/// Draws two lengths, of which the second is mostly the same.
fn lengths(c: &mut Comparison<'_>) -> (usize, usize) {
    let len = c.number(0, 70);
    c.draw(len, &ALL);
    (len, c.perhaps_short(len))
}

fn descend(c: &mut Comparison<'_>) {
    let (len, shorter) = lengths(c);
    let plain = Descent { keep: 1.0, rate: draw(&mut c.rng, Values::Extreme), scale: 1.0, l2: 0.0 };
    let decaying = Descent { keep: 0.99, scale: c.rng.unit(), ..plain };
    let step = match c.rng.below(4) {
        0 => plain,
        1 => decaying,
        2 => Descent { l2: c.rng.unit(), ..plain },
        _ => Descent { l2: c.rng.unit(), ..decaying },
    };
    both!(c, len, |v| {
        arch::descend(&mut v.a[..len], &v.b[..shorter], step);
        NOTHING
    });
}

fn sums(c: &mut Comparison<'_>, compare: impl Fn(&mut Comparison<'_>, usize, Sums, [usize; 3])) {
    let (pixels, outputs) = (c.number(0, 4), c.number(0, 40));
    let (rows, count) = (c.number(0, 3), c.number(0, 4));
    let (x_pixel, x_stride) = (c.number(0, 5), c.number(1, 3));
    let stride = (outputs + c.number(0, 2)).max(1);
    let (x_step, weight_step) = (c.number(0, 9), count * stride + c.number(0, 4));
    let runs = Runs { rows, count, x_step, weight_step, stride };
    let last = |count: usize, step: usize| count.saturating_sub(1) * step;
    let x = last(pixels, x_pixel) + last(rows, x_step) + last(count, x_stride) + 1;
    let weight = last(rows, weight_step) + last(count, stride) + outputs;
    let slices = [c.perhaps_short(x), c.perhaps_short(weight), c.perhaps_short(pixels * outputs)];
    let len = x.max(weight).max(pixels * outputs).max(outputs);
    c.draw(len, &ALL);
    compare(c, len, Sums { pixels, outputs, x_pixel, x_stride, runs }, slices);
}

/// A shape, and the lengths of what it meets: channels, weights and dL/dy.
fn meeting(c: &mut Comparison<'_>) -> (Meeting, usize, usize, usize) {
    let (channels, outputs) = (c.number(0, 9), c.number(1, 18));
    let (rows, columns) = (c.number(0, 3), c.number(0, 3));
    let weight_column = channels * outputs + c.number(0, 2);
    let weight_row = columns * weight_column + c.number(0, 2);
    let (dy_column, dy_row) = (c.number(0, 2 * outputs), c.number(0, 3 * outputs));
    let last = |count: usize, step: usize| count.saturating_sub(1) * step;
    let dy_first = last(rows, dy_row) + last(columns, dy_column) + c.number(0, 3);
    let shape = Meeting { outputs, rows, columns, weight_row, weight_column, dy_first, dy_row, dy_column };
    let weight = last(rows, weight_row) + last(columns, weight_column) + channels * outputs;
    (shape, channels, weight, dy_first + outputs)
}

/// What is left of an input.
fn left(c: &mut Comparison<'_>) -> Left {
    match c.rng.below(3) {
        0 => Left::All,
        1 => Left::Open(f32::NAN),
        _ => Left::Open(0.5),
    }
}

fn meet(c: &mut Comparison<'_>) {
    let (shape, channels, weight, dy) = meeting(c);
    let len = weight.max(dy).max(channels);
    // Zeros of dL/dy may be left out where all else is finite and no gradient is -0.0.
    c.draw(len, &FINITE);
    c.drawn.c[..len].iter_mut().for_each(|gradient| *gradient += 0.0);
    let (weight, dy, left, skips) = (c.perhaps_short(weight), c.perhaps_short(dy), left(c), c.rng.below(8) > 0);
    both!(c, len, |v| {
        arch::meet(&mut v.d[..channels], left, &v.a[..weight], &v.b[..dy], &mut v.c[..weight], &shape, skips);
        NOTHING
    });
}

fn meet_input(c: &mut Comparison<'_>) {
    let (shape, channels, weight, dy) = meeting(c);
    let len = weight.max(dy).max(channels);
    c.draw(len, &FINITE);
    let (weight, dy, left, skips) = (c.perhaps_short(weight), c.perhaps_short(dy), left(c), c.rng.below(8) > 0);
    both!(c, len, |v| {
        arch::meet_input(&mut v.d[..channels], left, &v.a[..weight], &v.b[..dy], &shape, skips);
        NOTHING
    });
}

/// A walk over a window of so many channels, and the elements that the two arrays need.
fn walk(c: &mut Comparison<'_>, channels: usize) -> (Walk, usize, usize) {
    let (rows, columns) = (c.number(0, 3), c.number(0, 3));
    let column = channels + c.number(0, 3);
    let row = columns * column + c.number(0, 3);
    let step = |c: &mut Comparison<'_>, most: usize| c.number(0, 2 * most).cast_signed() - most.cast_signed();
    let (other_row, other_column) = (step(c, 40), step(c, 12));
    let last = |count: usize, step: isize| count.saturating_sub(1) * step.unsigned_abs();
    let back = |count: usize, step: isize| if step < 0 { last(count, step) } else { 0 };
    let forth = |count: usize, step: isize| if step > 0 { last(count, step) } else { 0 };
    let first = c.number(0, 3);
    let other_first = back(rows, other_row) + back(columns, other_column) + c.number(0, 3);
    let len = first + last(rows, row.cast_signed()) + last(columns, column.cast_signed()) + channels;
    let other = other_first + forth(rows, other_row) + forth(columns, other_column) + channels;
    (Walk { rows, columns, first, row, column, other_first, other_row, other_column }, len, other)
}

fn add_window(c: &mut Comparison<'_>) {
    let channels = c.number(0, 20);
    let (walk, a, b) = walk(c, channels);
    let len = a.max(b).max(channels);
    c.draw(len, &ALL);
    both!(c, len, |v| {
        arch::add_window(&mut v.c[..channels], &v.a[..a], &v.b[..b], &walk);
        NOTHING
    });
}

fn meet_window(c: &mut Comparison<'_>) {
    let channels = c.number(0, 20);
    let (walk, a, b) = walk(c, channels);
    let len = a.max(b).max(channels);
    c.draw(len, &ALL);
    let left = left(c);
    both!(c, len, |v| {
        arch::meet_window(&mut v.d[..channels], left, &v.a[..a], &v.b[..b], &mut v.c[..a], &walk);
        NOTHING
    });
}

fn window_max(c: &mut Comparison<'_>) {
    let (channels, rows, columns) = (c.number(0, 20), c.number(1, 3), c.number(1, 3));
    let column_step = channels + c.number(0, 3);
    let row_step = columns * column_step + c.number(0, 3);
    // In front of the window, or its first element.
    let (first, place) = match c.rng.below(3) {
        0 => (c.number(0, 3), None),
        1 => {
            let first = c.number(0, 3);
            (first, Some(first))
        }
        _ => {
            let place = c.number(0, 3);
            (place + channels + c.number(0, 3), Some(place))
        }
    };
    let len = first + (rows - 1) * row_step + (columns - 1) * column_step + channels;
    c.draw(len.max(channels), &ALL);
    let window = Window { rows, columns, row_step, column_step };
    let x = c.perhaps_short(len);
    both!(c, len.max(channels), |v| {
        arch::window_max(&mut v.a[..x], first, place, &mut v.b[..channels], &window);
        NOTHING
    });
}

/// The square root of each sign and exponent, and of mantissas at a stride with random last bits. Returns how many differ.
fn roots() -> u32 {
    let (mut rng, mut differing) = (Rng::new(1), 0);
    for high in 0..ROOTS {
        let x = f32::from_bits(high << 8 | rng.below(256));
        let (here, there) = (backpass_arch::sqrt(x), libm::sqrtf(x));
        if here.to_bits() != there.to_bits() && !(here.is_nan() && there.is_nan()) {
            differing += 1;
            defmt::warn!("sqrt of {=u32:08x} is {=u32:08x}", x.to_bits(), here.to_bits());
        }
    }
    differing
}

#[entry]
fn main() -> ! {
    stop::arm(None);
    let (drawn, here, there) = (DRAWN.take(), HERE.take(), THERE.take());
    let mut differing = 0;
    for (seed, (name, case)) in FUNCTIONS.iter().enumerate() {
        let found = Found { name, values: 0, differing: 0 };
        let mut comparison =
            Comparison { rng: Rng::new(seed as u64), drawn: &mut *drawn, here: &mut *here, there: &mut *there, found };
        for _ in 0..CASES {
            case(&mut comparison);
        }
        let Found { name, values, differing: different } = comparison.found;
        differing += different;
        defmt::info!("compared {=str} {} {} {}", name, CASES, values, different);
    }
    let different = roots();
    differing += different;
    defmt::info!("compared sqrt {} {} {}", ROOTS, ROOTS, different);
    debug::exit(if differing == 0 { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}
