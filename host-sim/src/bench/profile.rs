//! Where the instructions go: counts by function.

use object::{Object, ObjectSymbol, SymbolKind};

use super::{BenchError, Block, Counts, Image};

/// What a function cost in a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Function {
    /// Its name, without the compiler's hash.
    pub name: String,
    /// Its address.
    pub address: u64,
    /// Its bytes.
    pub size: u64,
    /// The sums over its blocks, for one step.
    pub instructions: f64,
    /// Modelled cycles.
    pub cycles: f64,
    /// Modelled cycles if neighbouring loads and stores are pipelined.
    pub pipelined: f64,
    /// Its blocks, those with most cycles first; their sums are for all steps.
    pub blocks: Vec<Block>,
}

/// The functions of an image by cost, the most expensive first.
///
/// # Errors
/// [`BenchError::NotElf`].
pub fn profile(image: &Image, counts: &Counts) -> Result<Vec<Function>, BenchError> {
    let file = image.parse()?;
    let mut functions: Vec<Function> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .map(|symbol| Function {
            name: format!("{:#}", rustc_demangle::demangle(symbol.name().unwrap_or("?"))),
            // The lowest bit says Thumb.
            address: symbol.address() & !1,
            size: symbol.size(),
            instructions: 0.0,
            cycles: 0.0,
            pipelined: 0.0,
            blocks: Vec::new(),
        })
        .collect();
    functions.sort_by_key(|function| function.address);
    attribute(&mut functions, counts);
    functions.retain(|function| function.instructions > 0.0);
    functions.sort_by(|a, b| b.cycles.total_cmp(&a.cycles));
    Ok(functions)
}

/// Adds each block to the function that it lies in. What lies in none is added to one without a name.
fn attribute(functions: &mut Vec<Function>, counts: &Counts) {
    let mut unknown = Function {
        name: "(no function)".to_owned(),
        address: 0,
        size: 0,
        instructions: 0.0,
        cycles: 0.0,
        pipelined: 0.0,
        blocks: Vec::new(),
    };
    let steps = counts.regions.max(1) as f64;
    for block in &counts.blocks {
        let index = functions.partition_point(|function| function.address <= block.start);
        let function = index.checked_sub(1).and_then(|index| functions.get_mut(index));
        let function =
            function.filter(|function| block.start < function.address + function.size).unwrap_or(&mut unknown);
        function.instructions += block.instructions as f64 / steps;
        function.cycles += block.cycles as f64 / steps;
        function.pipelined += block.pipelined as f64 / steps;
        function.blocks.push(*block);
    }
    functions.push(unknown);
    for function in functions {
        function.blocks.sort_by_key(|block| std::cmp::Reverse(block.cycles));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_belongs_to_the_function_around_it() {
        let function = |name: &str, address| Function {
            name: name.to_owned(),
            address,
            size: 16,
            instructions: 0.0,
            cycles: 0.0,
            pipelined: 0.0,
            blocks: Vec::new(),
        };
        let mut functions = vec![function("a", 0x100), function("b", 0x120)];
        let text =
            "regions 2\nblock 100 104 1 2 4 4\nblock 10e 110 1 1 2 2\nblock 110 112 1 7 7 7\nblock 120 124 1 4 8 6\n";
        attribute(&mut functions, &Counts::parse(text).unwrap());
        let costs: Vec<_> = functions.iter().map(|f| (f.name.as_str(), f.instructions, f.cycles)).collect();
        assert_eq!(costs, [("a", 1.5, 3.0), ("b", 2.0, 4.0), ("(no function)", 3.5, 3.5)]);
    }
}
