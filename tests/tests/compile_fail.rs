//! What cannot work does not compile, and the message says why.

#[test]
fn t() {
    let t = trybuild::TestCases::new();
    t.pass("compile_fail/compiles.rs");
    for e in std::fs::read_dir("compile_fail").unwrap() {
        let p = e.unwrap().path();
        if p.extension().unwrap() == "rs" && p.file_stem().unwrap() != "compiles" {
            t.compile_fail(p);
        }
    }
}
