#!/usr/bin/env python3
"""Makes digits.bin from the digits.csv.gz that scikit-learn ships.

    pip download --no-deps scikit-learn
    python3 make_digits.py scikit_learn-*.whl digits.bin

Each of the 1,797 samples is 65 bytes: 64 pixels, 0 to 16, row by row, then the class, 0 to 9; in the order of the file.
Needs nothing but Python's own library.
"""
import argparse
import csv
import gzip
import io
import zipfile

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("wheel", help="a wheel of scikit-learn")
parser.add_argument("output", help="the file to write")
arguments = parser.parse_args()

with zipfile.ZipFile(arguments.wheel) as wheel:
    packed = wheel.read("sklearn/datasets/data/digits.csv.gz")
rows = [[int(float(cell)) for cell in row] for row in csv.reader(io.StringIO(gzip.decompress(packed).decode()))]
for number, row in enumerate(rows, 1):
    if len(row) != 65 or not all(0 <= pixel <= 16 for pixel in row[:64]) or not 0 <= row[64] <= 9:
        raise SystemExit(f"row {number} is not 64 pixels from 0 to 16 and a class from 0 to 9")
with open(arguments.output, "wb") as output:
    output.write(b"".join(map(bytes, rows)))
print(f"{len(rows)} samples, {65 * len(rows)} bytes")
