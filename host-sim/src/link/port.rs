//! A serial port of this computer, with a board at its other end.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use serialport::{DataBits, FlowControl, Parity, SerialPort, SerialPortType, StopBits};

use super::{Line, Receive};

/// How long a port may take no byte: one that is there takes them all the time.
const STUCK: Duration = Duration::from_secs(5);

/// A serial port: 8 data bits, no parity, one stop bit, no flow control.
pub struct Port(Box<dyn SerialPort>);

impl Port {
    /// Opens a port by its name (`/dev/ttyACM0`, `COM3`). What came before is thrown away.
    ///
    /// # Errors
    /// [`PortError`] names the ports that there are.
    pub fn open(name: &str, baud: u32) -> Result<Self, PortError> {
        let error = |source| PortError { name: name.to_owned(), source, ports: ports() };
        let port = serialport::new(name, baud)
            .data_bits(DataBits::Eight)
            .parity(Parity::None)
            .stop_bits(StopBits::One)
            .flow_control(FlowControl::None)
            // Some debuggers hand nothing on before somebody is said to be there.
            .dtr_on_open(true)
            .open()
            .map_err(error)?;
        port.clear(serialport::ClearBuffer::Input).map_err(error)?;
        Ok(Self(port))
    }
}

impl fmt::Debug for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Port").field(&self.0.name()).finish()
    }
}

impl Line for Port {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.set_timeout(STUCK)?;
        self.0.write_all(bytes)
    }
}

impl Receive for Port {
    fn receive(&mut self, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
        self.0.set_timeout(timeout.max(Duration::from_millis(1)))?;
        match self.0.read(buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(0),
            result => result,
        }
    }
}

/// A port that cannot be opened.
#[derive(Debug)]
pub struct PortError {
    name: String,
    source: serialport::Error,
    ports: Vec<String>,
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use serialport::ErrorKind as Kind;
        write!(f, "cannot open the serial port {}: {}; ", self.name, self.source)?;
        if matches!(self.source.kind(), Kind::Io(ErrorKind::PermissionDenied)) && cfg!(target_os = "linux") {
            f.write_str("add yourself to the group `dialout` and log in anew: sudo usermod -aG dialout $USER; ")?;
        }
        match &self.ports[..] {
            [] => f.write_str("there is no serial port: is the board plugged in, with a cable that carries data?"),
            ports => write!(f, "ports that there are: {}", ports.join(", ")),
        }
    }
}

impl std::error::Error for PortError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The names of all ports; what is plugged in by USB comes first, with what it calls itself.
fn ports() -> Vec<String> {
    // Where they cannot be listed, none is named.
    let mut ports = serialport::available_ports().unwrap_or_default();
    ports.sort_by_key(|port| !matches!(port.port_type, SerialPortType::UsbPort(_)));
    let name = |port: serialport::SerialPortInfo| match port.port_type {
        SerialPortType::UsbPort(usb) => match usb.product {
            Some(product) => format!("{} ({product})", port.port_name),
            None => port.port_name,
        },
        _ => port.port_name,
    };
    ports.into_iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_not_there_is_named_with_those_that_are() {
        let error = Port::open("no-such-port", 115_200).unwrap_err().to_string();
        assert!(error.contains("no-such-port"), "{error}");
        let all = ports();
        assert!(all.iter().all(|port| error.contains(port.as_str())), "{all:?} in {error}");
        assert!(!all.is_empty() || error.contains("no serial port"), "{error}");
    }

    #[cfg(unix)]
    mod terminals {
        use serialport::TTYPort;

        use super::*;

        #[test]
        fn bytes_go_both_ways_and_silence_is_no_error() {
            let (mut board, host) = TTYPort::pair().unwrap();
            let mut port = Port::open(&host.name().unwrap(), 115_200).unwrap();
            let every: Vec<u8> = (0..=255).collect();
            port.send(&every).unwrap();
            let mut got = vec![0; 256];
            board.set_timeout(STUCK).unwrap();
            board.read_exact(&mut got).unwrap();
            assert_eq!(got, every);
            board.write_all(&every).unwrap();
            let (mut got, mut buffer) = (Vec::<u8>::new(), [0; 100]);
            while got.len() < 256 {
                let count = port.receive(&mut buffer, STUCK).unwrap();
                assert!(count > 0, "{} of 256 bytes", got.len());
                got.extend(&buffer[..count]);
            }
            assert_eq!(got, every);
            assert_eq!(port.receive(&mut buffer, Duration::from_millis(20)).unwrap(), 0);
        }

        #[test]
        fn a_port_that_goes_away_is_an_error() {
            let (board, host) = TTYPort::pair().unwrap();
            let mut port = Port::open(&host.name().unwrap(), 115_200).unwrap();
            drop((board, host));
            let gone = port.receive(&mut [0; 8], STUCK);
            assert!(gone.is_err(), "{gone:?}");
        }
    }
}
