#!/usr/bin/env python3
"""Extracts the memory maps of the boards' chips from probe-rs' target descriptions.

    cargo download probe-rs==0.32.0        # or take the folder from cargo's registry
    chips.py probe-rs-0.32.0/targets > chips.csv

Needs PyYAML 6. A row: the name that `probe-rs run --chip` takes, the kind of memory, its first address, the address behind it, and the
bytes of the sectors in which it is erased (for RAM 0).
"""

import pathlib
import sys

import yaml

CHIPS = {
    "nRF52833_xxAA": "nRF52_Series",
    "RP2040": "RP2040",
    "RP235x": "RP235x",
    "STM32F446RETx": "STM32F4_Series",
    # Those of the planner's table alone.
    "nRF51822_xxAA": "nRF51_Series",
    "nRF52832_xxAA": "nRF52_Series",
    "nRF52840_xxAA": "nRF52_Series",
    "ATSAMD21G18A": "SAMD21",
    "ATSAMD51J19A": "SAMD51",
    "STM32F103C8Tx": "STM32F1_Series",
    "STM32L053R8Tx": "STM32L0_Series",
    "STM32G031K8Tx": "STM32G0_Series",
    "STM32G071RBTx": "STM32G0_Series",
    "STM32F401RETx": "STM32F4_Series",
    "STM32F411CEUx": "STM32F4_Series",
    "STM32L476RGTx": "STM32L4_Series",
    "STM32F746NGHx": "STM32F7_Series",
    "STM32F767ZITx": "STM32F7_Series",
    "STM32H743ZITx": "STM32H7_Series",
    "STM32U575ZITxQ": "STM32U5_Series",
    "LPC55S69JBD100": "LPC55S69",
}


class Loader(yaml.SafeLoader):
    """Tags are kept as a name beside the value."""


def tagged(loader, suffix, node):
    value = loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else {}
    return {"kind": suffix, **value}


Loader.add_multi_constructor("!", tagged)


def sectors(family, variant, start, end):
    """The sizes of the sectors of a region, as `size` or `size@address` for several."""
    for algorithm in family["flash_algorithms"]:
        if algorithm["name"] not in variant["flash_algorithms"]:
            continue
        properties = algorithm["flash_properties"]
        if not (properties["address_range"]["start"] <= start < properties["address_range"]["end"]):
            continue
        base = properties["address_range"]["start"]
        parts = [(base + part["address"], part["size"]) for part in properties["sectors"]]
        return " ".join(f"{size:#x}@{address:#010x}" for address, size in parts if address < end)
    return ""


def main():
    folder = pathlib.Path(sys.argv[1])
    print("# probe-rs 0.32.0, by chips.py")
    print("chip,kind,start,end,sectors")
    for chip, name in CHIPS.items():
        family = yaml.load((folder / f"{name}.yaml").read_text(), Loader)
        for variant in family["variants"]:
            if chip != variant["name"] and chip not in variant.get("package_variants", []):
                continue
            for region in variant["memory_map"]:
                start, end = region["range"]["start"], region["range"]["end"]
                of = sectors(family, variant, start, end) if region["kind"] == "Nvm" else ""
                print(f"{chip},{region['kind']},{start:#010x},{end:#010x},{of}")


main()
