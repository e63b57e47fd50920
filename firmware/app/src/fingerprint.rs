//! One number for all parameters.

use backpass::Params;
use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

/// CRC-32 (ISO-HDLC, as in zip and PNG) over every parameter in visiting order, each as 4 little-endian bytes.
///
/// Two networks of one type with equal numbers here are, but for one case in four billion, equal in every bit.
pub fn parameters_crc32<P: Params>(params: &P) -> u32 {
    let crc = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    params.visit(None, &mut |_, values| {
        for value in values {
            digest.update(&value.to_le_bytes());
        }
    });
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use backpass::{Dense, Layer, NoBias, Zero};

    use super::*;

    #[test]
    fn is_the_crc_of_the_little_endian_bytes() {
        type P = <Dense<1, NoBias> as Layer<[f32; 2]>>::Params;
        let mut params = P::ZERO;
        // "12345678" is the two floats with these bytes; its CRC-32 is 0x9ae0daaf.
        params.weight = [[f32::from_le_bytes(*b"1234")], [f32::from_le_bytes(*b"5678")]];
        assert_eq!(parameters_crc32(&params), 0x9ae0_daaf);
    }
}
