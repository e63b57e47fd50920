#!/usr/bin/env python3
"""Writes what PyTorch computes for small networks, to be compared with backpass by tests/pytorch.

    pip install torch safetensors numpy
    python generate.py                  # every area: writes <area>.safetensors beside this file
    python generate.py conv norm        # these areas only
    python generate.py --folder other   # into another folder

The cases are in the modules of `cases`, one an area; what is computed for a case is in `harness.py`. The same PyTorch
version on the same platform gives the same bytes; `torch` in a file's metadata says which version it was.
"""

import argparse
import importlib
import pkgutil
from pathlib import Path

import torch
from safetensors.torch import save_file

import cases
from harness import tensors_of

AREAS = sorted(module.name for module in pkgutil.iter_modules(cases.__path__))


def write(area: str, folder: Path) -> None:
    module = importlib.import_module(f"cases.{area}")
    tensors: dict[str, torch.Tensor] = {}
    for case in module.CASES:
        new = tensors_of(case)
        if not tensors.keys().isdisjoint(new):
            raise ValueError(f"{case.name}: there is another case of this name")
        tensors |= new
    # What an area has beside its cases, such as the rates of schedules.
    if hasattr(module, "more"):
        tensors |= module.more()
    file = folder / f"{area}.safetensors"
    # One entry of metadata only: several are written in no fixed order.
    save_file(tensors, file, metadata={"torch": torch.__version__.split("+")[0]})
    print(f"{file}: {len(module.CASES)} cases, {len(tensors)} tensors, {file.stat().st_size} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="See the head of this file for more.")
    parser.add_argument("areas", nargs="*", metavar="area", help=f"what to write (default: all of {', '.join(AREAS)})")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent, help="where (default: beside this script)")
    arguments = parser.parse_args()
    if unknown := set(arguments.areas) - set(AREAS):
        parser.error(f"no such area: {', '.join(sorted(unknown))}; there are {', '.join(AREAS)}")

    print(f"PyTorch {torch.__version__}")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for area in arguments.areas or AREAS:
        write(area, arguments.folder)


if __name__ == "__main__":
    main()
