/// What the application works with.
pub struct Board<L, F, A> {
    pub line: L,
    pub store: Store<F>,
    /// To be called at every step, for the watchdog.
    pub alive: A,
}
