//! Runs an image in QEMU and decodes its log.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use defmt_decoder::{DecodeError, StreamDecoder, Table};

use super::{BoardError, Machine};

/// Runs `image` on a machine until its program ends. Hands each message of its log to `message` as it comes.
///
/// # Errors
/// See [`BoardError`]. QEMU never outlives this call.
pub fn run(machine: Machine, image: &Path, silence: Duration, message: &mut dyn FnMut(&str)) -> Result<(), BoardError> {
    let unreadable = |source| BoardError::Unreadable { path: image.to_owned(), source };
    let elf = std::fs::read(image).map_err(unreadable)?;
    let no_log = |reason: String| BoardError::NoLog { path: image.to_owned(), reason };
    let table = Table::parse(&elf).map_err(|error| no_log(error.to_string()))?;
    let table = table.ok_or_else(|| no_log("it has no .defmt section".to_owned()))?;
    let mut decoder = table.new_stream_decoder();

    let child = Command::new("qemu-system-arm")
        .args(["-M", machine.name(), "-nographic", "-monitor", "none", "-serial", "null"])
        .args(["-semihosting-config", "enable=on,target=native", "-kernel"])
        .arg(image)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => BoardError::QemuMissing,
            _ => BoardError::Start { program: "qemu-system-arm".to_owned(), source },
        })?;
    let mut child = Running(child);
    let (sender, bytes) = mpsc::channel();
    if let Some(stdout) = child.0.stdout.take() {
        thread::spawn(move || forward(stdout, |part| sender.send(part).is_ok()));
    }
    let errors = child.0.stderr.take().map(|mut stderr| {
        thread::spawn(move || {
            let mut text = String::new();
            // What cannot be read cannot be shown either.
            let _ = stderr.read_to_string(&mut text);
            text
        })
    });
    loop {
        match bytes.recv_timeout(silence) {
            Ok(part) => decode(&mut *decoder, &part, message)?,
            Err(RecvTimeoutError::Timeout) => return Err(BoardError::Silent { silence }),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status =
        child.0.wait().map_err(|source| BoardError::Start { program: "qemu-system-arm".to_owned(), source })?;
    if status.success() {
        return Ok(());
    }
    let stderr = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
    Err(BoardError::Failed { status, stderr })
}

/// Hands on what can be read until the end, or until nobody wants it.
fn forward(mut source: impl Read, mut send: impl FnMut(Vec<u8>) -> bool) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = source.read(&mut buffer) {
        if !send(buffer.get(..count).unwrap_or_default().to_vec()) {
            return;
        }
    }
}

fn decode(decoder: &mut dyn StreamDecoder, bytes: &[u8], message: &mut dyn FnMut(&str)) -> Result<(), BoardError> {
    decoder.received(bytes);
    loop {
        match decoder.decode() {
            Ok(frame) => message(&frame.display_message().to_string()),
            Err(DecodeError::UnexpectedEof) => return Ok(()),
            Err(DecodeError::Malformed) => return Err(BoardError::Damaged),
        }
    }
}

/// A process that is stopped when nobody waits for it any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to stop.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_firmware_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image");
        let run = || run(Machine::Microbit, &image, Duration::from_secs(1), &mut |_| {});
        assert!(matches!(run(), Err(BoardError::Unreadable { .. })));
        std::fs::write(&image, "not an ELF file").unwrap();
        assert!(matches!(run(), Err(BoardError::NoLog { .. })));
    }
}
