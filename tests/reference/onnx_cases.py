#!/usr/bin/env python3
"""Writes the tests of ONNX's operators that are layers, losses and optimizers of backpass, for tests/onnx.

    pip install onnx==1.23.2 safetensors numpy
    python onnx_cases.py    # writes onnx.safetensors beside this file, and ../tests/onnx/cases.rs

The tests are those of ONNX's own backend test suite (`onnx.backend.test`, kind "node"): inputs, attributes and the outputs that
a runtime is to give. What each operator is here, and which operators are left out, is in `onnx_operators.py`. A case of an
operator that is there is run or has one of its reasons not to be; anything else is an error of this script, and so is an operator
that it has not heard of. The suite has most cases twice: once as one node, and once (`.._expanded`) as the nodes of its definition, with
the same numbers. The second is left out.

A tensor's name is `<case>/<input>`. Tensors with the same elements are stored once: the file's metadata has the version of
onnx in its first line, then `<name> <name of the same tensor>`. Needs rustfmt.
"""

import re
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import defs, helper
from onnx.backend.test.loader import load_model_tests
from safetensors.numpy import save_file

from onnx_operators import OPERATORS, OTHERS, Case, NotApplicable, Reason, Run

HERE = Path(__file__).parent
CASES = HERE.parent / "tests" / "onnx" / "cases.rs"

INTEGERS = "iub"


def case_of(test: Any) -> Case | None:
    """The test with its operands under their formal names; None if it is not of one node, or of an operator that we lack."""
    if "_expanded" in test.name:
        return None
    operators = {node.op_type for node in test.model.graph.node}
    if unknown := operators - OPERATORS.keys() - OTHERS:
        raise ValueError(f"{test.name}: unknown operators: {', '.join(sorted(unknown))}")
    if not operators & OPERATORS.keys() or operators & OTHERS:
        return None
    (node,) = test.model.graph.node
    versions = {opset.domain: opset.version for opset in test.model.opset_import}
    schema = defs.get_schema(node.op_type, versions[node.domain], node.domain)
    attributes = {name: value_of(a.default_value) for name, a in schema.attributes.items() if a.default_value.name}
    attributes |= {attribute.name: value_of(attribute) for attribute in node.attribute}
    ((inputs, outputs),) = test.data_sets
    return Case(
        test.name,
        node.op_type,
        attributes,
        operands(schema.inputs, node.input, inputs),
        operands(schema.outputs, node.output, outputs),
    )


def value_of(attribute: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    return value.decode() if isinstance(value, bytes) else value


def operands(formal: Any, names: list[str], values: list[Any]) -> dict[str, Any]:
    """Values under the names that the definition gives; of a name without an end, a list. An empty name is left out."""
    values = iter(values)
    given = [next(values) if name else None for name in names]
    found = {}
    for i, parameter in enumerate(formal):
        if parameter.option == defs.OpSchema.FormalParameterOption.Variadic:
            found[parameter.name] = given[i:]
        elif i < len(given) and given[i] is not None:
            found[parameter.name] = given[i]
    return found


def runs_of(case: Case) -> list[Run]:
    """How backpass runs the case."""
    name, first = next((name, value) for name, value in case.inputs.items() if name not in ["R", "T"])
    first = first[0] if name == "inputs" else first
    if not isinstance(first, np.ndarray | np.generic):
        raise NotApplicable(Reason.NOT_A_TENSOR)
    if first.dtype.kind in INTEGERS and case.operator != "Pad":
        raise NotApplicable(Reason.INTEGER)
    runs = OPERATORS[case.operator](case)
    return runs if isinstance(runs, list) else [runs]


class Store:
    """The tensors, each once."""

    def __init__(self) -> None:
        self.tensors: dict[str, np.ndarray] = {}
        self.names: dict[tuple[str, bytes], str] = {}
        self.same: list[str] = []

    def add(self, name: str, tensor: np.ndarray) -> None:
        tensor = np.ascontiguousarray(tensor)
        if tensor.dtype.kind in INTEGERS:
            tensor = tensor.astype(np.int64)
        assert tensor.dtype in [np.float32, np.int64], f"{name}: {tensor.dtype}"
        key = tensor.dtype.str, tensor.tobytes()
        if key in self.names:
            self.same.append(f"{name} {self.names[key]}")
        else:
            self.names[key] = name
            self.tensors[name] = tensor

    def write(self, file: Path) -> None:
        # One entry of metadata only: several are written in no fixed order.
        save_file(self.tensors, file, metadata={"onnx": "\n".join([onnx.__version__, *self.same])})


# Names in the calls that backpass does not export.
LOCAL = ["NEG_INFINITY", "None", "Some", "Reduction", "Mean", "Sum"]

HEADER = """//! Every case of ONNX's that is run, and why the others are not. Written by `reference/onnx_cases.py`; not to be edited.

use backpass::{{{imports}}};

use crate::harness::Run;
use crate::losses::Reduction;

/// The cases of each operator.
pub(crate) const OPERATORS: &[fn(&mut Run<'_>)] = &[{operators}];

/// The cases that are not run: why, and which.
pub(crate) const NOT_APPLICABLE: &[(&str, &[&str])] = &[{skipped}];

/// Outputs that a layer does not return, and in how many of the cases that are run.
pub(crate) const NOT_RETURNED: &[(&str, usize)] = &[{unreturned}];
"""


def quoted(text: str) -> str:
    return f'"{text}"'


def rust(runs: dict[str, list[tuple[str, Run]]], skipped: dict[Reason, list[str]], unreturned: dict[str, int]) -> str:
    functions, code = {}, []
    for operator, calls in runs.items():
        function = re.sub("(?<=[a-z])(?=[A-Z])", "_", operator).lower()
        lines = [f"run.{run.method}({', '.join([quoted(name), *run.arguments])});" for name, run in calls]
        functions[function] = f"\nfn {function}(run: &mut Run<'_>) {{\n" + "\n".join(lines) + "\n}\n"
        code += [part for _, run in calls for part in [run.method, *run.arguments]]
    names = {name for name in re.findall(r"\w+", " ".join(code)) if name[0].isupper() and name not in LOCAL}
    header = HEADER.format(
        imports=", ".join(sorted(names)),
        operators=", ".join(functions),
        skipped=", ".join(f'("{reason}", &[{", ".join(map(quoted, names))}])' for reason, names in sorted(skipped.items())),
        unreturned=", ".join(f'("{output}", {count})' for output, count in sorted(unreturned.items())),
    )
    command = ["rustfmt", "--edition", "2024", "--config-path", str(HERE.parents[1])]
    return subprocess.run(command, input=header + "".join(functions.values()), text=True, check=True, stdout=subprocess.PIPE).stdout


def main() -> None:
    # Some tests of operators that we lack divide by zero on purpose.
    warnings.simplefilter("ignore")
    store = Store()
    runs: dict[str, list[tuple[str, Run]]] = {}
    skipped: dict[Reason, list[str]] = {}
    unreturned: dict[str, int] = {}
    count = 0
    cases = [case for test in load_model_tests(kind="node") if (case := case_of(test))]
    if unused := OPERATORS.keys() - {case.operator for case in cases}:
        raise ValueError(f"there are no cases of {', '.join(sorted(unused))}")
    for case in sorted(cases, key=lambda case: (case.operator, case.name)):
        try:
            of_case = runs_of(case)
            count += 1
        except NotApplicable as why:
            of_case = why.runs
            skipped.setdefault(why.reason, []).append(case.name)
        for run in of_case:
            name = f"{case.name}/{run.part}" if run.part else case.name
            runs.setdefault(case.operator, []).append((name, run))
            for tensor, values in run.tensors.items():
                store.add(f"{name}/{tensor}", values)
            for output in run.unreturned:
                unreturned[f"{case.operator}: {output}"] = unreturned.get(f"{case.operator}: {output}", 0) + 1
    if unused := set(Reason) - skipped.keys():
        raise ValueError(f"reasons that no case has: {', '.join(sorted(unused))}")

    file = HERE / "onnx.safetensors"
    store.write(file)
    CASES.write_text(rust(runs, skipped, unreturned))
    print(f"onnx {onnx.__version__}: {count} cases are run, {sum(map(len, skipped.values()))} are not applicable")
    print(f"{file.name}: {len(store.tensors)} tensors, {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
