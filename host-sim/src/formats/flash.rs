//! Plain images: the parameters one after another, `f32`, little-endian, in the learner's order. To be flashed at an address, or sent to a
//! board.
//!
//! A board copies them into its learner:
//!
//! ```
//! use backpass::{CrossEntropy, Dense, Learner, Memory, Params, Sgd};
//! # type Net = (Dense<2>,);
//! # let mut memory = Memory::<Net, [f32; 3], Sgd>::new();
//! # let mut learner = Learner::new(&mut memory, Net::default(), CrossEntropy, Sgd::new(0.1));
//! # let flash = &[0_u8; 32][..];
//! let mut values = flash.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
//! Params::visit_mut([learner.params_mut()], None, &mut |_, [slice]| {
//!     slice.iter_mut().zip(&mut values).for_each(|(to, from)| *to = from);
//! });
//! ```
//!
//! An image has no checksum and does not say which network it is of; a [checkpoint](super::checkpoint) does.

use ihex::{Reader, Record, create_object_file_representation};

use super::{Model, Problems};
use crate::network::Network;

/// Bytes in a line of Intel HEX.
const LINE: usize = 16;
/// How far an image of Intel HEX may reach from its first byte: 64 MB.
const LONGEST: usize = 1 << 26;

/// The image.
#[must_use]
pub fn bytes(model: &Model) -> Vec<u8> {
    model.values.iter().flatten().flat_map(|value| value.to_le_bytes()).collect()
}

/// The model in an image.
///
/// # Errors
/// It has another length than the network, or numbers that are not finite.
pub fn read(bytes: &[u8], network: &Network) -> Result<Model, Problems> {
    Model::from_flat(network.clone(), &numbers(bytes)?)
}

pub(crate) fn numbers(bytes: &[u8]) -> Result<Vec<f32>, Problems> {
    let (numbers, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return Err(format!("{} bytes: numbers of 4 bytes each end with a whole one", bytes.len()).into());
    }
    Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// Bytes as Intel HEX from an address on, as programmers read it.
///
/// # Errors
/// They end behind the last address of 32 bits.
pub fn to_hex(bytes: &[u8], address: u32) -> Result<String, Problems> {
    if u64::from(address) + bytes.len() as u64 > 1 << 32 {
        return Err(format!("{} bytes from {address:#x} on end behind the last address", bytes.len()).into());
    }
    let (mut records, mut upper, mut at) = (Vec::new(), None, address as usize);
    let mut rest = bytes;
    while !rest.is_empty() {
        // No line goes over a border of 64 KB.
        let length = rest.len().min(LINE - at % LINE);
        let (value, behind) = rest.split_at(length);
        if upper != Some(at >> 16) {
            upper = Some(at >> 16);
            records.push(Record::ExtendedLinearAddress((at >> 16) as u16));
        }
        records.push(Record::Data { offset: at as u16, value: value.to_vec() });
        (at, rest) = (at + length, behind);
    }
    records.push(Record::EndOfFile);
    create_object_file_representation(&records).map_err(|error| error.to_string().into())
}

/// The bytes of an Intel HEX file, from its first address on; erased (`ff`) where it says nothing.
///
/// # Errors
/// A line that is none.
pub fn from_hex(text: &str) -> Result<Vec<u8>, Problems> {
    let (mut pieces, mut base) = (Vec::new(), 0_usize);
    for (number, record) in Reader::new(text).enumerate() {
        let record = record.map_err(|error| format!("no Intel HEX: record {}: {error}", number + 1))?;
        match record {
            Record::Data { offset, value } => pieces.push((base + usize::from(offset), value)),
            Record::ExtendedLinearAddress(upper) => base = usize::from(upper) << 16,
            Record::ExtendedSegmentAddress(segment) => base = usize::from(segment) << 4,
            Record::EndOfFile | Record::StartLinearAddress(_) | Record::StartSegmentAddress { .. } => {}
        }
    }
    let start = pieces.iter().map(|(at, _)| *at).min().unwrap_or(0);
    let end = pieces.iter().map(|(at, value)| at + value.len()).max().unwrap_or(0);
    if end - start > LONGEST {
        return Err(format!("the file reaches from {start:#x} to {end:#x}: more than {} MB", LONGEST >> 20).into());
    }
    let mut bytes = vec![0xff; end - start];
    for (at, value) in pieces {
        bytes[at - start..][..value.len()].copy_from_slice(&value);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_it_was_written() {
        let bytes: Vec<u8> = (0..70_000_u32).map(|i| (i % 251) as u8).collect();
        for address in [0, 0x0807_fffd, 0x1000_8000] {
            let hex = to_hex(&bytes, address).unwrap();
            assert!(hex.starts_with(':') && hex.trim_end().ends_with(":00000001FF"));
            assert_eq!(from_hex(&hex).unwrap(), bytes);
        }
        assert!(to_hex(&bytes, u32::MAX - 10).is_err());
        assert!(from_hex(":0300300002337A1F").is_err(), "a wrong checksum");
    }

    #[test]
    fn an_image_is_the_models_numbers() {
        let network = Network::from_line("2 dense(1)").unwrap();
        let model = Model::from_flat(network.clone(), &[1.0, -0.0, 2.5]).unwrap();
        let image = bytes(&model);
        assert_eq!(image, [0, 0, 0x80, 0x3f, 0, 0, 0, 0x80, 0, 0, 0x20, 0x40]);
        assert_eq!(read(&image, &network).unwrap(), model);
        assert!(read(&image[..8], &network).unwrap_err().to_string().contains("2 values"));
        assert!(read(&image[..9], &network).is_err());
    }
}
