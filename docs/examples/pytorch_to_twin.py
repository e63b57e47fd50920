"""From PyTorch to the twin of a board and back: the same training, half here and half there.

    pip install torch numpy safetensors
    cargo build --release -p backpass-sim
    python docs/examples/pytorch_to_twin.py                # or: ... PATH_TO_BACKPASS_SIM

1. PyTorch trains a 64-32-10 network on the handwritten digits for five epochs.
2. `backpass-sim import` makes a checkpoint of it, as a board would have saved it.
3. `backpass-sim train --load` goes on for five epochs, bit for bit as a board would.
4. `backpass-sim export` brings the result back, and PyTorch loads it.
5. PyTorch goes on from its own half by itself, on the same samples in the same order, and both results are compared.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

ROOT = Path(__file__).parents[2]
TRAINING = 1437
EPOCHS, BATCH, RATE, MOMENTUM = 5, 8, 0.03, 0.9
# The twin shuffles by a generator that is seeded with this plus 1.
SEED = 5


class SplitMix:
    """The learner's generator, so that samples come in the twin's order."""

    MASK = 2**64 - 1

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & self.MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & self.MASK
        return (((z ^ (z >> 31)) >> 32) * n) >> 32

    def shuffle(self, items):
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[other], items[last] = items[last], items[other]


def digits():
    """Training and test images, split as the twin splits them."""
    rows = np.fromfile(ROOT / "firmware/app/data/digits.bin", np.uint8).reshape(-1, 65)
    order = list(range(len(rows)))
    SplitMix(0).shuffle(order)
    rows = rows[order]
    pixels = torch.from_numpy(rows[:, :64].astype(np.float32) / 16)
    classes = torch.from_numpy(rows[:, 64].astype(np.int64))
    return (pixels[:TRAINING], classes[:TRAINING]), (pixels[TRAINING:], classes[TRAINING:])


def train(model, images, classes, seed):
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM)
    order, rng = list(range(len(images))), SplitMix(seed + 1)
    for _ in range(EPOCHS):
        rng.shuffle(order)
        for batch in torch.tensor(order).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), classes[batch]).backward()
            optimizer.step()


def accuracy(model, images, classes):
    with torch.no_grad():
        return (model(images).argmax(dim=1) == classes).float().mean().item()


def network():
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/backpass-sim"
    training, test = digits()
    torch.manual_seed(1)
    model = network()
    train(model, *training, seed=SEED - 1)
    print(f"PyTorch, {EPOCHS} epochs:              {100 * accuracy(model, *test):.2f} %")

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def run(*arguments):
            command = [program, *map(str, arguments)]
            result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            return json.loads(result.stdout.splitlines()[-1])

        def file(name):
            return folder / name

        save_file(model.state_dict(), file("half.safetensors"))
        run("import", file("half.safetensors"), "--application", "digits", "--to", "checkpoint", "-o", file("half.bin"), "--json")
        options = ["--epochs", EPOCHS, "--batch", BATCH, "--seed", SEED, "--learning-rate", RATE, "--momentum", MOMENTUM]
        files = ["--load", file("half.bin"), "--save", file("whole.bin")]
        twin = run("train", *files, *options, "--no-report", "--quiet", "--json")
        run("export", file("whole.bin"), "--application", "digits", "--to", "safetensors", "-o", file("whole.safetensors"), "--json")
        learned = network()
        learned.load_state_dict(load_file(file("whole.safetensors")))

    print(f"the twin goes on, {EPOCHS} epochs:     {100 * twin['test_accuracy']:.2f} % as it says itself")
    print(f"its weights in PyTorch:         {100 * accuracy(learned, *test):.2f} %")
    train(model, *training, seed=SEED)
    print(f"PyTorch goes on, {EPOCHS} epochs:      {100 * accuracy(model, *test):.2f} %")
    pairs = list(zip(model.parameters(), learned.parameters()))
    difference = max((a - b).abs().max().item() for a, b in pairs)
    largest = max(a.abs().max().item() for a, _ in pairs)
    print(f"largest difference of a weight: {difference:.1e} (weights are up to {largest:.2f})")
    assert difference < 1e-3, "the two went different ways"
    assert abs(accuracy(learned, *test) - twin["test_accuracy"]) < 1e-6


if __name__ == "__main__":
    main()
