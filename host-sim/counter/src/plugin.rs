//! The binding to QEMU's plugin interface (`qemu-plugin.h`). QEMU resolves the functions when it loads the plugin.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::PathBuf;
use std::ptr;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::count::{Counter, Event};

/// QEMU's number of a plugin.
type Id = u64;

/// A piece of code that QEMU translates; only pointers to it exist here.
#[repr(C)]
struct Translation(c_void);
/// An instruction in it.
#[repr(C)]
struct Instruction(c_void);

// SAFETY: the declarations are those of `qemu-plugin.h` for the version that the plugin asks for below. QEMU calls back only
// with the signatures declared here.
unsafe extern "C" {
    fn qemu_plugin_tb_n_insns(code: *const Translation) -> usize;
    fn qemu_plugin_tb_get_insn(code: *const Translation, index: usize) -> *mut Instruction;
    fn qemu_plugin_insn_vaddr(instruction: *const Instruction) -> u64;
    fn qemu_plugin_insn_size(instruction: *const Instruction) -> usize;
    #[cfg(not(feature = "api-3"))]
    fn qemu_plugin_insn_data(instruction: *const Instruction) -> *const u8;
    #[cfg(feature = "api-3")]
    fn qemu_plugin_insn_data(instruction: *const Instruction, bytes: *mut u8, length: usize) -> usize;
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, callback: extern "C" fn(Id, *mut Translation));
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut Instruction,
        callback: extern "C" fn(c_uint, *mut c_void),
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_atexit_cb(id: Id, callback: extern "C" fn(Id, *mut c_void), data: *mut c_void);
}

/// The version of the interface that this plugin was built for, which QEMU reads before it calls anything.
// SAFETY: nothing else of this name exists in QEMU; its type is the `int` of the interface.
#[unsafe(no_mangle)]
static qemu_plugin_version: c_int = match (cfg!(feature = "api-3"), cfg!(feature = "api-2")) {
    (true, _) => 3,
    (_, true) => 2,
    _ => 1,
};

static COUNTER: Mutex<Counter> = Mutex::new(Counter::new());
static OUT: OnceLock<PathBuf> = OnceLock::new();

/// QEMU does not read registers or memory for the callback.
const NO_REGISTERS: c_int = 0;

/// Called by QEMU when it loads the plugin, with the options of `-plugin`. Returns 0 if they make sense.
///
/// # Safety
/// `arguments` points to `count` strings, as QEMU's interface promises.
// SAFETY: the name and signature are the interface's.
#[unsafe(no_mangle)]
unsafe extern "C" fn qemu_plugin_install(
    id: Id,
    _: *const c_void,
    count: c_int,
    arguments: *const *const c_char,
) -> c_int {
    for index in 0..usize::try_from(count).unwrap_or(0) {
        // SAFETY: the caller promises so many strings.
        let argument = unsafe { CStr::from_ptr(*arguments.add(index)) }.to_string_lossy();
        match argument.split_once('=') {
            // Set once: QEMU loads a plugin once.
            Some(("out", path)) => drop(OUT.set(PathBuf::from(path))),
            _ => return refuse(&format!("unknown option {argument}")),
        }
    }
    if OUT.get().is_none() {
        return refuse("the option out=FILE is missing");
    }
    // SAFETY: `id` is the one that QEMU gave; the callbacks live as long as the library, which is never unloaded.
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
        qemu_plugin_register_atexit_cb(id, ended, ptr::null_mut());
    }
    0
}

fn refuse(reason: &str) -> c_int {
    eprintln!("backpass-counter: {reason}");
    1
}

/// The counter is whole between calls, so a panic elsewhere does not matter.
fn counter<T>(work: impl FnOnce(&mut Counter) -> T) -> T {
    work(&mut COUNTER.lock().unwrap_or_else(PoisonError::into_inner))
}

extern "C" fn translated(_: Id, code: *mut Translation) {
    // SAFETY: QEMU's pointer is good during the call.
    let count = unsafe { qemu_plugin_tb_n_insns(code) };
    // SAFETY: as above, and the index is below the count.
    let instructions: Vec<_> = (0..count).map(|index| unsafe { qemu_plugin_tb_get_insn(code, index) }).collect();
    let placed: Vec<(u64, Vec<u8>)> = instructions.iter().map(|instruction| read(*instruction)).collect();
    let placed = placed.iter().map(|(address, bytes)| (*address, bytes.as_slice()));
    let events = counter(|counter| counter.translate(placed));
    for (instruction, event) in instructions.into_iter().zip(events) {
        let (callback, number): (extern "C" fn(c_uint, *mut c_void), usize) = match event {
            None => continue,
            Some(Event::Begin) => (began, 0),
            Some(Event::End) => (left, 0),
            Some(Event::Enter(number)) => (entered, number),
        };
        // SAFETY: the instruction is QEMU's; the data is a number and is never followed as a pointer.
        unsafe {
            qemu_plugin_register_vcpu_insn_exec_cb(
                instruction,
                callback,
                NO_REGISTERS,
                ptr::without_provenance_mut(number),
            );
        }
    }
}

/// An instruction's address and bytes.
fn read(instruction: *mut Instruction) -> (u64, Vec<u8>) {
    // SAFETY: QEMU's pointer is good during the translation that this is called in.
    let (address, size) = unsafe { (qemu_plugin_insn_vaddr(instruction), qemu_plugin_insn_size(instruction)) };
    #[cfg(not(feature = "api-3"))]
    // SAFETY: the interface promises `size` bytes at the address that it returns.
    let bytes = unsafe { std::slice::from_raw_parts(qemu_plugin_insn_data(instruction), size) }.to_vec();
    #[cfg(feature = "api-3")]
    let bytes = {
        let mut bytes = vec![0; size];
        // SAFETY: QEMU writes at most so many bytes as the buffer has.
        let written = unsafe { qemu_plugin_insn_data(instruction, bytes.as_mut_ptr(), bytes.len()) };
        bytes.truncate(written);
        bytes
    };
    (address, bytes)
}

extern "C" fn began(_: c_uint, _: *mut c_void) {
    counter(|counter| counter.execute(Event::Begin));
}

extern "C" fn left(_: c_uint, _: *mut c_void) {
    counter(|counter| counter.execute(Event::End));
}

extern "C" fn entered(_: c_uint, number: *mut c_void) {
    counter(|counter| counter.execute(Event::Enter(number.addr())));
}

extern "C" fn ended(_: Id, _: *mut c_void) {
    let Some(path) = OUT.get() else { return };
    let report = counter(|counter| counter.report());
    if let Err(error) = std::fs::write(path, report) {
        eprintln!("backpass-counter: cannot write {}: {error}", path.display());
    }
}
