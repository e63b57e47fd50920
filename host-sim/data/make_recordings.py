#!/usr/bin/env python3
"""Makes the recordings beside it from the wheels that ship them.

    pip download --no-deps aeon==1.6.0 seglearn==1.2.5
    python3 make_recordings.py aeon-*.whl seglearn-*.whl .

Each file is a list of recordings, little-endian, one after the other:

    u8   class
    u8   group: 0 for the training half and 1 for the test half; in shoulder_exercises.bin the number of the subject
    u16  rows
    i16  rows x channels, row by row; a value is the integer times the channel's unit

The classes, channels and units are in README.md. Needs numpy.
"""
import argparse
import io
import struct
import zipfile

import numpy as np


def read_ts(text):
    """The recordings of a .ts file: (class label, rows x channels), in the order of the file."""
    _, _, rows = text.partition("@data")
    for line in rows.split("\n"):
        if line.strip():
            *channels, label = line.strip().split(":")
            yield label, np.array([[float(value) for value in channel.split(",")] for channel in channels]).T


def write(path, recordings, units):
    with open(path, "wb") as output:
        for label, group, values in recordings:
            integers = np.rint(values / np.array(units)).astype(int)
            if np.abs(integers).max() > 32767:
                raise SystemExit(f"{path}: a value does not fit: choose a larger unit")
            output.write(struct.pack("<BBH", label, group, len(values)))
            output.write(integers.astype("<i2").tobytes())
    print(f"{path}: {len(recordings)} recordings")


def basic_motions(wheel, output):
    labels = ["Standing", "Running", "Walking", "Badminton"]
    recordings = []
    for group, half in enumerate(["TRAIN", "TEST"]):
        text = wheel.read(f"aeon/datasets/data/BasicMotions/BasicMotions_{half}.ts").decode()
        recordings += [(labels.index(label), group, values) for label, values in read_ts(text)]
    write(f"{output}/basic_motions.bin", recordings, [1e-3] * 3 + [2e-3] * 3)


def pickup_gesture(wheel, output):
    recordings = []
    for group, half in enumerate(["TRAIN", "TEST"]):
        path = f"aeon/datasets/data/PickupGestureWiimoteZ/PickupGestureWiimoteZ_{half}.ts"
        for label, values in read_ts(wheel.read(path).decode()):
            recordings.append((int(label) - 1, group, values[~np.isnan(values[:, 0])]))
    write(f"{output}/pickup_gesture.bin", recordings, [1e-4])


def shoulder_exercises(wheel, output):
    data = np.load(io.BytesIO(wheel.read("seglearn/data/watch_dataset.npy")), allow_pickle=True).item()
    recordings = []
    for values, label, subject, side in zip(data["X"], data["y"], data["subject"], data["side"]):
        if side == 1:
            # 50 Hz to 25 Hz: the mean of two rows. The three axes of the accelerometer.
            pairs = values[: len(values) // 2 * 2, :3].reshape(-1, 2, 3)
            recordings.append((int(label), int(subject), pairs.mean(axis=1)))
    recordings.sort(key=lambda recording: (recording[1], recording[0]))
    write(f"{output}/shoulder_exercises.bin", recordings, [2e-4] * 3)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("aeon", help="a wheel of aeon")
parser.add_argument("seglearn", help="a wheel of seglearn")
parser.add_argument("output", help="the folder to write to")
arguments = parser.parse_args()
with zipfile.ZipFile(arguments.aeon) as archive:
    basic_motions(archive, arguments.output)
    pickup_gesture(archive, arguments.output)
with zipfile.ZipFile(arguments.seglearn) as archive:
    shoulder_exercises(archive, arguments.output)
