
/// Where nothing was saved that can be used, learning starts from the parameters that were trained elsewhere.
fn begin<F: NorFlash>(learner: &mut Learner<'_, Net, Input, Goal, Rule>, store: &mut Store<F>) {
    if store.load(learner, &mut ()).is_ok() {
        return;
    }
    learner.initialize(SEED);
    {{assign}};
    if let Err(error) = store.save(learner, &mut ()) {
        log(format_args!("the trained parameters were not saved: {error:?}"));
    }
}
