//! The test files of this package stand alone; they share nothing.
