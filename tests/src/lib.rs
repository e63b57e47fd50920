//! Tests that span crates are in `tests/`; here the examples of the main page and of the book are tested.

/// Makes the code blocks of a page tests.
macro_rules! page {
    ($name:ident, $file:literal) => {
        #[cfg(doctest)]
        #[doc = include_str!($file)]
        struct $name;
    };
}

page!(Readme, "../../README.md");
page!(NoHardware, "../../docs/src/no-hardware.md");
page!(Microbit, "../../docs/src/microbit.md");
page!(Backward, "../../docs/src/backward.md");
page!(Budget, "../../docs/src/budget.md");
page!(Settings, "../../docs/src/settings.md");
page!(Models, "../../docs/src/models.md");
page!(Monitor, "../../docs/src/monitor.md");
page!(Continual, "../../docs/src/continual.md");
page!(Reliability, "../../docs/src/reliability.md");
page!(Porting, "../../docs/src/porting.md");
page!(Performance, "../../docs/src/performance.md");
