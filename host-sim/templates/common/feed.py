#!/usr/bin/env python3
"""Sends the rows of a CSV file to the board, which learns them; needs nothing but Python 3.8.

    {{feed_command}}

A row is a sample: {{inputs}} numbers{{order_words}}, then {{label_words}}. A first row of words is passed over. Columns are scaled to mean 0 and
deviation 1 by the rows that are learned from; the last fifth of the shuffled rows is not learned from, but tested on.

Without a file, made-up rows are sent: each class has a mean of its own.
"""

import argparse
import csv
import os
import random
import socket
import struct
import sys
import time
import zlib

INPUTS, OUTPUTS, CLASSES = {{inputs}}, {{outputs}}, {{is_class}}


class Line:
    """A serial port, or HOST:PORT of an emulator."""

    def __init__(self, address):
        self.file = self.socket = None
        if ":" in address and not os.path.exists(address):
            host, port = address.rsplit(":", 1)
            self.socket = socket.create_connection((host, int(port)), 10)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            import termios
            import tty

            self.file = os.open(address, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self.file)
            mode = termios.tcgetattr(self.file)
            mode[4] = mode[5] = termios.B115200
            termios.tcsetattr(self.file, termios.TCSANOW, mode)

    def send(self, data):
        if self.socket:
            self.socket.sendall(data)
        else:
            while data:
                data = data[os.write(self.file, data):]

    def receive(self, seconds):
        import select

        where = self.socket or self.file
        if not select.select([where], [], [], seconds)[0]:
            return b""
        data = self.socket.recv(4096) if self.socket else os.read(self.file, 4096)
        if not data:
            sys.exit("the board has closed the line")
        return data


def stuff(data):
    """COBS: no zero is left."""
    out, block = bytearray(), bytearray()
    for byte in data:
        if byte:
            block.append(byte)
            if len(block) == 254:
                out += b"\xff" + block
                block.clear()
        else:
            out += bytes([len(block) + 1]) + block
            block.clear()
    return bytes(out + bytes([len(block) + 1]) + block)


def unstuff(data):
    out, at = bytearray(), 0
    while at < len(data):
        code = data[at]
        out += data[at + 1 : at + code]
        at += code
        if code < 255 and at < len(data):
            out.append(0)
    return bytes(out)


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def read_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at


class Board:
    """Asks again until there is an answer: the board does each request once."""

    def __init__(self, line, seconds):
        self.line, self.seconds, self.buffer = line, seconds, b""
        self.session, self.number = int(time.time()) & 0x7FFFFFFF or 1, 0
        line.send(b"\0")
        for _ in range(4):
            kind, body = self.ask(bytes([0]) + varint(1))
            if kind == 0:
                return
            # Refused: another session, which says its number behind the reason.
            if body[0] == 4:
                self.session = (read_varint(body, 1)[0] + 1) & 0xFFFFFFFF or 1
            self.number = 0
        sys.exit("the board refuses a session: reset it")

    def ask(self, message, numbers=()):
        body = b"?" + struct.pack("<II", self.session, self.number) + message
        body += struct.pack(f"<{len(numbers)}f", *numbers)
        frame = stuff(body + struct.pack("<I", zlib.crc32(body))) + b"\0"
        for _ in range(20):
            self.line.send(frame)
            end = time.time() + self.seconds
            while time.time() < end:
                self.buffer += self.line.receive(max(0.0, end - time.time()))
                while b"\0" in self.buffer:
                    raw, self.buffer = self.buffer.split(b"\0", 1)
                    answer = self.answer(unstuff(raw))
                    if answer:
                        return answer
        sys.exit("the board does not answer: is it switched on, and is this its line?")

    def answer(self, data):
        if len(data) < 14 or data[:1] != b"!" or struct.pack("<I", zlib.crc32(data[:-4])) != data[-4:]:
            return None
        session, number = struct.unpack("<II", data[1:9])
        kind, body = data[9], data[10:-4]
        hello = self.number == 0 and kind == 11
        if not hello and (session, number) != (self.session, self.number):
            return None
        self.number += 1
        return kind, body

    def told(self, answer, expected):
        kind, body = answer
        if kind == 11:
            sys.exit(f"the board refused (reason {body[0]} of backpass_app::stream::Refusal)")
        if kind != expected:
            sys.exit(f"the board answered something else: {kind}")
        return body

    def target(self, label):
        return b"\x01" + varint(int(label[0])) if CLASSES else b"\x00"

    def train(self, sample, label):
        numbers = sample if CLASSES else sample + label
        body = self.told(self.ask(bytes([2]) + self.target(label), numbers), 2)
        predicted, at = read_varint(body, 0)
        return predicted, struct.unpack_from("<f", body, at)[0]

    def evaluate(self, sample, label):
        numbers = sample if CLASSES else sample + label
        body = self.told(self.ask(bytes([4]) + self.target(label), numbers), 4)
        predicted, at = read_varint(body, 0)
        return predicted, struct.unpack_from("<f", body, at)[0]

    def save(self):
        self.told(self.ask(bytes([9])), 8)


def read(path):
    rows, behind = [], 1 if CLASSES else OUTPUTS
    with open(path, newline="") as file:
        for number, cells in enumerate(csv.reader(file), 1):
            try:
                values = [float(cell) for cell in cells if cell.strip()]
            except ValueError:
                if number == 1:
                    continue
                sys.exit(f"{path}, line {number}: not all are numbers")
            if len(values) != INPUTS + behind:
                sys.exit(f"{path}, line {number}: {len(values)} numbers, but {INPUTS} and {behind} behind them are needed")
            if CLASSES and not 0 <= values[-1] < OUTPUTS:
                sys.exit(f"{path}, line {number}: class {values[-1]:g}, but there are 0 to {OUTPUTS - 1}")
            rows.append((values[:INPUTS], values[INPUTS:]))
    return rows


def made_up():
    means = [[random.uniform(-1, 1) for _ in range(INPUTS)] for _ in range(OUTPUTS if CLASSES else 4)]
    rows = []
    for index in range(40 * len(means)):
        mean = means[index % len(means)]
        sample = [value + random.gauss(0, 0.5) for value in mean]
        rows.append((sample, [index % len(means)] if CLASSES else [mean[at % INPUTS] for at in range(OUTPUTS)]))
    return rows


def scale(rows, learned):
    for column in range(INPUTS):
        values = [row[0][column] for row in learned]
        mean = sum(values) / len(values)
        deviation = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5 or 1.0
        for row in rows:
            row[0][column] = (row[0][column] - mean) / deviation


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("line", help="serial port, or HOST:PORT of the emulator")
    parser.add_argument("data", nargs="?", help="CSV file [default: made-up rows]")
    parser.add_argument("--passes", type=int, default=3, help="how often each row is learned from [default: 3]")
    parser.add_argument("--patience", type=float, default=2.0, help="seconds after which a request is sent again [default: 2]")
    options = parser.parse_args()
    random.seed(1)
    rows = read(options.data) if options.data else made_up()
    if len(rows) < 5:
        sys.exit("too few rows: 5 are needed")
    random.shuffle(rows)
    cut = len(rows) - len(rows) // 5
    learned, tested = rows[:cut], rows[cut:]
    scale(rows, learned)
    board = Board(Line(options.line), options.patience)

    def test(name):
        right, loss = 0, 0.0
        for sample, label in tested:
            predicted, of = board.evaluate(sample, label)
            right, loss = right + (CLASSES and predicted == label[0]), loss + of
        words = f", {100 * right / len(tested):.1f} % right" if CLASSES else ""
        print(f"{name}: loss {loss / len(tested):.4f} on {len(tested)} rows{words}", flush=True)

    test("before")
    for number in range(1, options.passes + 1):
        random.shuffle(learned)
        for sample, label in learned:
            board.train(sample, label)
        test(f"after pass {number} over {len(learned)} rows")
    board.save()
    print("saved: it outlasts a reset" if {{is_board}} else "saved, as long as the emulator runs")


main()
