//! What an instruction costs on a Cortex-M4F, from its encoding.
//!
//! Sources: Armv7-M Architecture Reference Manual (DDI 0403), chapter A5, for the encodings; Cortex-M4 Technical Reference
//! Manual (DDI 0439), tables 3-1 and 7-1, for the cycles. Memory without wait states. Where the manual gives a range, one
//! value is taken: 7 cycles for an integer division (2 to 12), 2 more for a taken branch (1 to 3).
//!
//! | instruction | cycles |
//! |---|---|
//! | most, also `vadd`, `vmul`, `vcmp`, `vmov` | 1 |
//! | load or store of one register, also `vldr` and `vstr` | 2 (1 where it follows another one, in the pipelined model) |
//! | of N registers, also `push`, `pop`, `vldm` | 1 + N |
//! | `mla`, `mls`, `vmov` of two core registers | 2 |
//! | `vmla`, `vfma` and their kin | 3 |
//! | `vdiv`, `vsqrt` | 14 |
//! | use of a float sum or product by the very next instruction | 1 more |

/// A taken branch refills the pipeline.
pub(crate) const REFILL: u64 = 2;

/// A register's number.
type Register = u16;

/// A load or store of a single register (or of a double-precision one).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    /// The core register that it loads.
    loads: Option<Register>,
    /// The core registers of its address.
    address: [Option<Register>; 2],
    /// A store of a core register at a constant offset goes through the write buffer.
    buffered: bool,
}

/// What an instruction costs, and what its neighbours must know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cost {
    /// Cycles by itself.
    cycles: u32,
    /// The single-precision register that is ready one cycle late.
    late: Option<Register>,
    /// The single-precision registers that it reads at its start.
    reads: [Option<Register>; 2],
    /// Set for a single load or store.
    access: Option<Access>,
}

impl Cost {
    const fn of(cycles: u32) -> Self {
        Self { cycles, late: None, reads: [None; 2], access: None }
    }

    const fn load(register: Register, address: [Option<Register>; 2]) -> Self {
        let access = Access { loads: Some(register), address, buffered: false };
        Self { access: Some(access), ..Self::of(2) }
    }

    const fn store(address: [Option<Register>; 2]) -> Self {
        let access = Access { loads: None, address, buffered: address[1].is_none() };
        Self { access: Some(access), ..Self::of(2) }
    }

    /// A load or store that is a store if the bit says so.
    const fn load_if(load: bool, register: Register, address: [Option<Register>; 2]) -> Self {
        if load { Self::load(register, address) } else { Self::store(address) }
    }

    /// The instruction of these bytes: two or four of them.
    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let halfword = |at: usize| bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
        if bytes.len() < 4 { narrow(halfword(0)) } else { wide(halfword(0), halfword(2)) }
    }

    /// Cycles after the instruction before: without, and with pipelining of neighbouring loads and stores.
    pub(crate) fn after(&self, previous: Option<&Self>) -> (u32, u32) {
        let waits = previous.and_then(|previous| previous.late).is_some_and(|late| self.reads.contains(&Some(late)));
        let cycles = self.cycles + u32::from(waits);
        let Some(access) = self.access else { return (cycles, cycles) };
        let neighbour = previous.and_then(|previous| previous.access);
        let needs_it = neighbour.and_then(|n| n.loads).is_some_and(|loaded| access.address.contains(&Some(loaded)));
        let pipelined = if access.buffered || (neighbour.is_some() && !needs_it) { cycles - 1 } else { cycles };
        (cycles, pipelined)
    }
}

/// Bits `high` to `low`.
const fn bits(word: u16, high: u32, low: u32) -> u16 {
    (word >> low) & (u16::MAX >> (15 - (high - low)))
}

/// A 16-bit instruction.
fn narrow(word: u16) -> Cost {
    let (low, base, index) = (bits(word, 2, 0), Some(bits(word, 5, 3)), Some(bits(word, 8, 6)));
    let high = bits(word, 10, 8);
    let is_load = bits(word, 11, 11) == 1;
    match bits(word, 15, 12) {
        // ldr from the constants after the code
        0b0100 if is_load => Cost::load(high, [None; 2]),
        // ldr, str and their halves and bytes at a register's offset: the first three opcodes store
        0b0101 => Cost::load_if(bits(word, 11, 9) >= 3, low, [base, index]),
        // the same at a constant offset
        0b0110..=0b1000 => Cost::load_if(is_load, low, [base, None]),
        // on the stack
        0b1001 => Cost::load_if(is_load, high, [Some(13), None]),
        // push and pop, with the link register or the program counter
        0b1011 if bits(word, 10, 9) == 0b10 => Cost::of(1 + bits(word, 8, 0).count_ones()),
        // ldm and stm
        0b1100 => Cost::of(1 + bits(word, 7, 0).count_ones()),
        _ => Cost::of(1),
    }
}

/// A 32-bit instruction.
fn wide(first: u16, second: u16) -> Cost {
    if bits(first, 15, 13) == 0b111 && bits(first, 11, 10) == 0b11 {
        return if bits(second, 11, 9) == 0b101 { float(first, second) } else { Cost::of(1) };
    }
    match bits(first, 12, 11) {
        0b01 if bits(first, 10, 9) == 0 => several(first, second),
        0b11 => one(first, second),
        // data processing with a constant or a shift, branches, special registers
        _ => Cost::of(1),
    }
}

/// Loads and stores of several registers, and table branches.
fn several(first: u16, second: u16) -> Cost {
    let is_table_branch = bits(first, 11, 4) == 0b1000_1101 && bits(second, 7, 4) < 2;
    match bits(first, 6, 6) {
        0 => Cost::of(1 + second.count_ones()),
        _ if is_table_branch => Cost::of(2),
        // ldrd, strd
        _ => Cost::of(3),
    }
}

/// Loads and stores of one register, multiplications and divisions, data processing on registers.
fn one(first: u16, second: u16) -> Cost {
    if bits(first, 10, 9) == 0 {
        let has_index = bits(first, 7, 7) == 0 && bits(second, 11, 11) == 0;
        let address = [Some(bits(first, 3, 0)), has_index.then_some(bits(second, 3, 0))];
        return Cost::load_if(bits(first, 4, 4) == 1, bits(second, 15, 12), address);
    }
    let accumulates = bits(second, 15, 12) != 15;
    match (bits(first, 10, 7), bits(first, 6, 4)) {
        // mla, mls; without an addend it is mul
        (0b0110, 0b000) if accumulates => Cost::of(2),
        // sdiv, udiv
        (0b0111, 0b001 | 0b011) => Cost::of(7),
        _ => Cost::of(1),
    }
}

/// The floating-point unit's instructions.
fn float(first: u16, second: u16) -> Cost {
    let is_double = bits(second, 8, 8) == 1;
    // A single-precision register is four bits and, below them, a fifth from elsewhere.
    let destination = bits(second, 15, 12) << 1 | bits(first, 6, 6);
    let left = bits(first, 3, 0) << 1 | bits(second, 7, 7);
    let right = bits(second, 3, 0) << 1 | bits(second, 5, 5);
    if bits(first, 11, 8) < 0b1110 {
        let is_load = bits(first, 4, 4) == 1;
        // Two core registers and one or two of the unit's.
        if bits(first, 11, 5) == 0b110_0010 {
            return Cost::of(2);
        }
        // vldm, vstm, vpush, vpop: with write-back, or upwards without an offset
        if bits(first, 8, 8) == 0 || bits(first, 5, 5) == 1 {
            return Cost::of(1 + u32::from(bits(second, 7, 0)));
        }
        let access = Access { loads: None, address: [Some(bits(first, 3, 0)), None], buffered: false };
        let reads = [(!is_load).then_some(destination), None];
        return Cost { cycles: if is_double { 3 } else { 2 }, late: None, reads, access: Some(access) };
    }
    if bits(second, 4, 4) == 1 {
        // Between a core register and one of the unit's, or its flags.
        let to_core = bits(first, 4, 4) == 1;
        return Cost { reads: [to_core.then_some(left), None], ..Cost::of(1) };
    }
    let sum = |cycles| Cost { late: Some(destination), reads: [Some(left), Some(right)], ..Cost::of(cycles) };
    let at_once = |cycles| Cost { late: None, ..sum(cycles) };
    match (bits(first, 7, 7), bits(first, 5, 4)) {
        // vmla, vmls, vnmla, vnmls, vfma, vfms, vfnma, vfnms: the addend is read late
        (0, 0b00 | 0b01) | (1, 0b01 | 0b10) => sum(3),
        // vmul, vnmul, vadd, vsub
        (0, _) => sum(1),
        (1, 0b00) => at_once(14),
        _ => match (bits(second, 6, 6), bits(first, 3, 0)) {
            // vmov of a constant
            (0, _) => Cost::of(1),
            (_, 0b0001) if bits(second, 7, 7) == 1 => Cost { reads: [Some(right), None], ..Cost::of(14) },
            // vcmp
            (_, 0b0100 | 0b0101) => Cost { reads: [Some(destination), Some(right)], ..Cost::of(1) },
            // vmov, vabs, vneg, vcvt
            _ => Cost { reads: [Some(right), None], ..Cost::of(1) },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodings are as the GNU assembler writes them: one or two halfwords.
    fn decode(code: &[u16]) -> Cost {
        let bytes: Vec<u8> = code.iter().flat_map(|halfword| halfword.to_le_bytes()).collect();
        Cost::decode(&bytes)
    }

    /// Cycles of the last of these instructions, behind the others: without and with pipelining.
    fn last(instructions: &[&[u16]]) -> (u32, u32) {
        let (last, before) = instructions.split_last().unwrap();
        decode(last).after(before.last().map(|code| decode(code)).as_ref())
    }

    #[test]
    fn instructions_cost_what_the_manual_says() {
        let table: [(&str, &[u16], u32); 75] = [
            ("movs r0, #1", &[0x2001], 1),
            ("adds r0, r1, r2", &[0x1888], 1),
            ("muls r1, r2", &[0x4351], 1),
            ("bx lr", &[0x4770], 1),
            ("blx r3", &[0x4798], 1),
            ("ldr r0, [pc, #4]", &[0x4801], 2),
            ("str r0, [r1, r2]", &[0x5088], 2),
            ("ldrsb r0, [r1, r2]", &[0x5688], 2),
            ("ldr r0, [r1, #4]", &[0x6848], 2),
            ("str r0, [r1, #4]", &[0x6048], 2),
            ("ldrb r0, [r1, #4]", &[0x7908], 2),
            ("strh r0, [r1, #4]", &[0x8088], 2),
            ("ldr r2, [sp, #8]", &[0x9a02], 2),
            ("str r2, [sp, #8]", &[0x9202], 2),
            ("push {r4, r5, lr}", &[0xb530], 4),
            ("pop {r4, r5, pc}", &[0xbd30], 4),
            ("ldmia r0!, {r1, r2, r3}", &[0xc80e], 4),
            ("stmia r0!, {r1, r2}", &[0xc006], 3),
            ("nop", &[0xbf00], 1),
            ("it eq", &[0xbf08], 1),
            ("cbz r0", &[0xb100], 1),
            ("beq.n", &[0xd0fc], 1),
            ("b.n", &[0xe7fb], 1),
            ("add sp, #8", &[0xb002], 1),
            ("ldr.w r8, [r9, #4]", &[0xf8d9, 0x8004], 2),
            ("str.w r8, [r9, #4]", &[0xf8c9, 0x8004], 2),
            ("ldr.w r8, [r9, sl, lsl #2]", &[0xf859, 0x802a], 2),
            ("ldr.w r8, [r9], #4", &[0xf859, 0x8b04], 2),
            ("ldrd r0, r1, [r2]", &[0xe9d2, 0x0100], 3),
            ("strd r0, r1, [r2]", &[0xe9c2, 0x0100], 3),
            ("ldmia.w r8, {r0, r1, r2, r9}", &[0xe898, 0x0207], 5),
            ("stmdb sp!, {r4, r8, r9, lr}", &[0xe92d, 0x4310], 5),
            ("tbb [pc, r0]", &[0xe8df, 0xf000], 2),
            ("tbh [pc, r0, lsl #1]", &[0xe8df, 0xf010], 2),
            ("add.w r8, r9, sl", &[0xeb09, 0x080a], 1),
            ("add.w r8, r9, #1", &[0xf109, 0x0801], 1),
            ("movw r8, #1234", &[0xf240, 0x48d2], 1),
            ("bl", &[0xf7ff, 0xffda], 1),
            ("beq.w", &[0xf43f, 0xafd8], 1),
            ("mul.w r8, r9, sl", &[0xfb09, 0xf80a], 1),
            ("mla r8, r9, sl, fp", &[0xfb09, 0xb80a], 2),
            ("mls r8, r9, sl, fp", &[0xfb09, 0xb81a], 2),
            ("umull r0, r1, r2, r3", &[0xfba2, 0x0103], 1),
            ("smlal r0, r1, r2, r3", &[0xfbc2, 0x0103], 1),
            ("sdiv r0, r1, r2", &[0xfb91, 0xf0f2], 7),
            ("udiv r0, r1, r2", &[0xfbb1, 0xf0f2], 7),
            ("mrs r0, primask", &[0xf3ef, 0x8010], 1),
            ("dsb sy", &[0xf3bf, 0x8f4f], 1),
            ("clz r0, r1", &[0xfab1, 0xf081], 1),
            ("vldr s1, [r0, #4]", &[0xedd0, 0x0a01], 2),
            ("vstr s1, [r0, #4]", &[0xedc0, 0x0a01], 2),
            ("vldr d1, [r0, #8]", &[0xed90, 0x1b02], 3),
            ("vldmia r0!, {s0-s3}", &[0xecb0, 0x0a04], 5),
            ("vstmia r0, {s0-s1}", &[0xec80, 0x0a02], 3),
            ("vpush {d8-d9}", &[0xed2d, 0x8b04], 5),
            ("vpop {d8-d9}", &[0xecbd, 0x8b04], 5),
            ("vadd.f32 s3, s1, s2", VADD, 1),
            ("vsub.f32 s3, s1, s2", &[0xee70, 0x1ac1], 1),
            ("vmul.f32 s3, s1, s2", VMUL, 1),
            ("vnmul.f32 s3, s1, s2", &[0xee60, 0x1ac1], 1),
            ("vmla.f32 s3, s1, s2", VMLA, 3),
            ("vnmla.f32 s3, s1, s2", &[0xee50, 0x1ac1], 3),
            ("vfma.f32 s3, s1, s2", &[0xeee0, 0x1a81], 3),
            ("vfnma.f32 s3, s1, s2", &[0xeed0, 0x1ac1], 3),
            ("vdiv.f32 s3, s1, s2", &[0xeec0, 0x1a81], 14),
            ("vsqrt.f32 s3, s2", &[0xeef1, 0x1ac1], 14),
            ("vcmp.f32 s3, s2", &[0xeef4, 0x1a41], 1),
            ("vmrs apsr_nzcv, fpscr", &[0xeef1, 0xfa10], 1),
            ("vmov.f32 s3, s2", &[0xeef0, 0x1a41], 1),
            ("vmov.f32 s3, #1.0", &[0xeef7, 0x1a00], 1),
            ("vneg.f32 s3, s2", &[0xeef1, 0x1a41], 1),
            ("vcvt.f32.u32 s3, s2", &[0xeef8, 0x1a41], 1),
            ("vmov r0, s3", &[0xee11, 0x0a90], 1),
            ("vmov r0, r1, s2, s3", &[0xec51, 0x0a11], 2),
            ("mcr 14, 0, r0, cr1, cr2", &[0xee01, 0x0e12], 1),
        ];
        for (text, code, cycles) in table {
            assert_eq!(last(&[code]).0, cycles, "{text}");
        }
    }

    /// s3 = s1 op s2
    const VADD: &[u16] = &[0xee70, 0x1a81];
    const VMUL: &[u16] = &[0xee60, 0x1a81];
    const VMLA: &[u16] = &[0xee40, 0x1a81];

    #[test]
    fn a_float_result_is_ready_one_cycle_late() {
        let users: [(&str, &[u16]); 6] = [
            ("vadd.f32 s0, s3, s1", &[0xee31, 0x0aa0]),
            ("vadd.f32 s0, s1, s3", &[0xee30, 0x0aa1]),
            ("vstr s3, [r0, #4]", &[0xedc0, 0x1a01]),
            ("vmov r0, s3", &[0xee11, 0x0a90]),
            ("vneg.f32 s0, s3", &[0xeeb1, 0x0a61]),
            ("vcmp.f32 s3, s2", &[0xeef4, 0x1a41]),
        ];
        for (text, user) in users {
            // Nothing else waits for it than the next instruction, and only for sums and products.
            let alone = last(&[user]).0;
            for producer in [VADD, VMUL, VMLA] {
                assert_eq!(last(&[producer, user]).0, alone + 1, "{text}");
                assert_eq!(last(&[producer, &[0xbf00], user]).0, alone, "{text}");
            }
            assert_eq!(last(&[&[0xedd0, 0x1a01], user]).0, alone, "{text} after a load");
        }
        assert_eq!(last(&[VADD, VMUL]).0, 1, "another register");
        assert_eq!(last(&[VADD, VMLA]).0, 3, "an addend is read late");
    }

    #[test]
    fn neighbouring_loads_and_stores_are_pipelined_unless_an_address_is_missing() {
        let load: &[u16] = &[0x6848]; // ldr r0, [r1, #4]
        assert_eq!(last(&[load]), (2, 2));
        assert_eq!(last(&[load, &[0x684a]]), (2, 1), "ldr r2, [r1, #4]");
        assert_eq!(last(&[load, &[0x6842]]), (2, 2), "ldr r2, [r0, #4] waits for r0");
        assert_eq!(last(&[load, &[0x580a]]), (2, 2), "ldr r2, [r1, r0] waits for r0");
        assert_eq!(last(&[load, &[0xedd1, 0x0a01]]), (2, 1), "vldr s1, [r1, #4]");
        assert_eq!(last(&[load, &[0xedd0, 0x0a01]]), (2, 2), "vldr s1, [r0, #4] waits for r0");
        assert_eq!(last(&[&[0xbf00], &[0xedd1, 0x0a01]]), (2, 2), "vldr behind a nop");
        assert_eq!(last(&[&[0x6048]]), (2, 1), "str r0, [r1, #4] goes through the write buffer");
        assert_eq!(last(&[&[0x5088]]), (2, 2), "str r0, [r1, r2] does not");
    }
}
