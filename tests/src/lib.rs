//! Tests that span crates are in `tests/`; here the examples of the main page are tested.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
