//! Runs an image in QEMU and decodes its log.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::{BoardError, Machine};
use crate::link::Receive;
use crate::log::{Decoder, Table};

const QEMU: &str = "qemu-system-arm";
/// How long QEMU may take to connect the serial line.
const CONNECTING: Duration = Duration::from_secs(20);

/// Looks for QEMU.
pub(super) fn check() -> Result<(), BoardError> {
    let mut qemu = Command::new(QEMU);
    qemu.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    qemu.status().map(drop).map_err(not_started)
}

fn not_started(source: io::Error) -> BoardError {
    match source.kind() {
        ErrorKind::NotFound => BoardError::QemuMissing,
        _ => BoardError::Start { program: QEMU.to_owned(), source },
    }
}

/// An image, ready to run.
#[derive(Debug)]
pub struct Program {
    image: PathBuf,
    table: Option<Table>,
    counts: bool,
}

impl Program {
    /// Reads an image whose log is `defmt`, and its table of messages.
    ///
    /// # Errors
    /// [`BoardError::Unreadable`] or [`BoardError::NoLog`].
    pub fn load(image: &Path) -> Result<Self, BoardError> {
        let program = Self::load_any(image)?;
        match program.table {
            Some(_) => Ok(program),
            None => Err(BoardError::NoLog { path: image.to_owned(), reason: "it has no .defmt section".to_owned() }),
        }
    }

    /// Reads an image whose log may also be text.
    ///
    /// # Errors
    /// [`BoardError::Unreadable`], or [`BoardError::NoLog`] for what is no ELF image.
    pub fn load_any(image: &Path) -> Result<Self, BoardError> {
        Ok(Self { image: image.to_owned(), table: Table::load(image)?, counts: false })
    }

    /// What decodes its log.
    #[must_use]
    pub fn decoder(&self) -> Decoder<'_> {
        Decoder::new(self.table.as_ref())
    }

    /// Lets the machine's time pass with its instructions, 128 ns each, instead of with the host's time: its timers count them.
    #[must_use]
    pub fn counting(self) -> Self {
        Self { counts: true, ..self }
    }

    /// Starts it on a machine. Files that the program opens on the host are looked for in `folder`, or else in the current one.
    ///
    /// # Errors
    /// [`BoardError::QemuMissing`] or [`BoardError::Start`].
    pub fn start(&self, machine: Machine, folder: Option<&Path>) -> Result<Emulation<'_>, BoardError> {
        self.launch(machine, folder, &["-serial", "null"])
    }

    /// Starts it like [`start`](Self::start), with the board's first serial port (UART 0) on a connection of its own: what the
    /// board sends can be read from it, what is written to it the board receives. No byte is lost on the way.
    ///
    /// # Errors
    /// [`BoardError::QemuMissing`], [`BoardError::Start`], or [`BoardError::Line`] if QEMU does not connect.
    pub fn start_with_serial_line(
        &self,
        machine: Machine,
        folder: Option<&Path>,
    ) -> Result<(Emulation<'_>, TcpStream), BoardError> {
        let line = |source| BoardError::Line { source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(line)?;
        let port = listener.local_addr().map_err(line)?.port();
        let device = format!("socket,id=line,host=127.0.0.1,port={port},nodelay=on");
        let emulation = self.launch(machine, folder, &["-chardev", &device, "-serial", "chardev:line"])?;
        listener.set_nonblocking(true).map_err(line)?;
        let end = Instant::now() + CONNECTING;
        let stream = loop {
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < end => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(source) => return Err(line(source)),
            }
        };
        stream.set_nonblocking(false).map_err(line)?;
        // A byte that waits for others costs 40 ms.
        stream.set_nodelay(true).map_err(line)?;
        Ok((emulation, stream))
    }

    fn launch(&self, machine: Machine, folder: Option<&Path>, serial: &[&str]) -> Result<Emulation<'_>, BoardError> {
        let image = std::path::absolute(&self.image)
            .map_err(|source| BoardError::Unreadable { path: self.image.clone(), source })?;
        let mut qemu = Command::new(QEMU);
        qemu.args(["-M", machine.name(), "-nographic", "-monitor", "none"]).args(serial);
        qemu.args(["-semihosting-config", "enable=on,target=native", "-kernel"]).arg(image);
        qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.counts {
            qemu.args(["-icount", "shift=7,sleep=off"]);
        }
        if let Some(folder) = folder {
            qemu.current_dir(folder);
        }
        let mut child = Running(qemu.spawn().map_err(not_started)?);
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
        let decoder = self.decoder();
        Ok(Emulation { child, bytes, left: Vec::new(), errors, decoder, messages: VecDeque::new() })
    }
}

/// An image that runs in QEMU. Dropped, it is stopped.
#[derive(Debug)]
pub struct Emulation<'p> {
    child: Running,
    bytes: Receiver<Vec<u8>>,
    /// Bytes of its log that nobody has asked for yet.
    left: Vec<u8>,
    errors: Option<thread::JoinHandle<String>>,
    decoder: Decoder<'p>,
    messages: VecDeque<String>,
}

/// The bytes of its log, instead of [`message`](Emulation::message).
impl Receive for Emulation<'_> {
    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        if self.left.is_empty() {
            match self.bytes.recv_timeout(timeout) {
                Ok(part) => self.left = part,
                Err(RecvTimeoutError::Timeout) => return Ok(0),
                Err(RecvTimeoutError::Disconnected) => return Err(ErrorKind::UnexpectedEof.into()),
            }
        }
        let count = self.left.len().min(buffer.len());
        buffer.iter_mut().zip(self.left.drain(..count)).for_each(|(place, byte)| *place = byte);
        Ok(count)
    }
}

impl Emulation<'_> {
    /// The next message of the log, waited for; `None` once the program has ended or was killed and everything it said is told.
    ///
    /// # Errors
    /// [`BoardError::Silent`] after `patience` without a message, [`BoardError::Damaged`].
    pub fn message(&mut self, patience: Duration) -> Result<Option<String>, BoardError> {
        let end = Instant::now() + patience;
        let mut buffer = [0; 4096];
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Ok(Some(message));
            }
            let wait = end.saturating_duration_since(Instant::now());
            match self.receive(&mut buffer, wait) {
                Ok(0) => return Err(BoardError::Silent { silence: patience }),
                Ok(count) => {
                    let messages = &mut self.messages;
                    self.decoder.receive(&buffer[..count], &mut |message| messages.push_back(message.text));
                    if self.decoder.damaged() > 0 {
                        return Err(BoardError::Damaged);
                    }
                }
                Err(_) => return Ok(None),
            }
        }
    }

    /// Kills QEMU at once, whatever the program is doing. What it has said so far can still be read.
    pub fn kill(&mut self) {
        self.child.stop();
    }

    /// Waits for the end of a program that has said its last.
    ///
    /// # Errors
    /// [`BoardError::Failed`] if it stopped with an error.
    pub fn finish(mut self) -> Result<(), BoardError> {
        let status = self.child.0.wait().map_err(|source| BoardError::Start { program: QEMU.to_owned(), source })?;
        if status.success() {
            return Ok(());
        }
        let stderr = self.errors.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        Err(BoardError::Failed { status, stderr })
    }
}

/// Runs `image` on a machine until its program ends. Hands each message of its log to `message` as it comes.
///
/// # Errors
/// See [`BoardError`]. QEMU never outlives this call.
pub fn run(machine: Machine, image: &Path, silence: Duration, message: &mut dyn FnMut(&str)) -> Result<(), BoardError> {
    let program = Program::load(image)?;
    let mut emulation = program.start(machine, None)?;
    while let Some(text) = emulation.message(silence)? {
        message(&text);
    }
    emulation.finish()
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

/// A process that is stopped when nobody waits for it any more.
#[derive(Debug)]
struct Running(Child);

impl Running {
    fn stop(&mut self) {
        // It may have ended already; then there is nothing to stop.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
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
