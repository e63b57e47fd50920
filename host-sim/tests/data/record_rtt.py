#!/usr/bin/env python3
"""Records what a debug probe would read: the RTT ring buffer of the digits application.

Runs the image with the feature `rtt` in QEMU and reads its RAM through QEMU's debugger port, as a probe does: find the control block by
its symbol, read what is new in the ring buffer, move the read offset on, over and over. Writes, beside this script,

- rtt.bin: the bytes of the log, in the order in which they were read;
- rtt-ram.bin: pieces of RAM (address and length in 4 bytes each, little-endian, then the bytes) at a moment at which what is new
  in the ring goes over its end: control block and buffer;
- rtt.elf: the image without its code: only the table of messages and the symbols.

Needs qemu-system-arm, arm-none-eabi-objcopy and -nm (Debian: binutils-arm-none-eabi) and the target thumbv7em-none-eabihf.

    python3 host-sim/tests/data/record_rtt.py
"""

import os
import pathlib
import re
import socket
import struct
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
FIRMWARE = HERE.parents[2] / "firmware" / "qemu"
TARGET = "thumbv7em-none-eabihf"
MACHINE = "mps2-an386"
# The training is in what is read by then; the rest are parameters.
ENOUGH = 6000
# New bytes at which they are read: less than what the ring can hold.
FULL = 700


class Debugger:
    """GDB's remote protocol, as far as it is needed here."""

    def __init__(self, port):
        for _ in range(100):
            try:
                self.socket = socket.create_connection(("127.0.0.1", port))
                break
            except ConnectionRefusedError:
                time.sleep(0.1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes = b""
        # It first says that the program has stopped.
        self.send("qC")
        while not self.receive().startswith("QC"):
            pass

    def send(self, command):
        checksum = sum(command.encode()) % 256
        self.socket.sendall(f"${command}#{checksum:02x}".encode())

    def receive(self):
        while not (found := re.search(rb"\$([^#]*)#..", self.bytes)):
            self.bytes += self.socket.recv(65536)
        self.bytes = self.bytes[found.end() :]
        self.socket.sendall(b"+")
        return found.group(1).decode()

    def ask(self, command):
        self.send(command)
        return self.receive()

    def read(self, address, length):
        data = b""
        while len(data) < length:
            part = min(length - len(data), 512)
            data += bytes.fromhex(self.ask(f"m{address + len(data):x},{part:x}"))
        return data

    def write_word(self, address, value):
        assert self.ask(f"M{address:x},4:{struct.pack('<I', value).hex()}") == "OK"

    def run_to(self, address, last):
        """Runs on from the breakpoint `last` to `address`."""
        if last is not None:
            self.ask(f"z0,{last:x},2")
        assert self.ask(f"Z0,{address:x},2") == "OK"
        assert self.ask("c").startswith("T")


def build():
    environment = dict(os.environ)
    if toolchain := environment.get("BACKPASS_FIRMWARE_TOOLCHAIN"):
        environment["RUSTUP_TOOLCHAIN"] = toolchain
    command = ["cargo", "build", "--release", "--features", "rtt", "--target", TARGET, "--bin", "backpass-qemu"]
    subprocess.run([*command, "--target-dir", "target/rtt"], cwd=FIRMWARE, env=environment, check=True)
    return FIRMWARE / "target/rtt" / TARGET / "release/backpass-qemu"


def symbol(image, name):
    listing = subprocess.run(["arm-none-eabi-nm", image], capture_output=True, text=True, check=True).stdout
    return int(re.search(rf"^([0-9a-f]+) \w {name}$", listing, re.M).group(1), 16)


def main():
    image = build()
    block = symbol(image, "_SEGGER_RTT")
    command = ["qemu-system-arm", "-M", MACHINE, "-nographic", "-monitor", "none", "-serial", "null", "-kernel", image]
    command += ["-semihosting-config", "enable=on,target=native", "-gdb", "tcp:127.0.0.1:3456"]
    emulator = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        debugger = Debugger(3456)
        # Where a message begins and where it ends.
        begin, end = symbol(image, "_defmt_acquire"), symbol(image, "_defmt_release")
        log, ram, last = b"", None, None
        while len(log) < ENOUGH:
            debugger.run_to(begin, last)
            debugger.run_to(end, begin)
            last = end
            header = debugger.read(block, 24 + 24)
            name, buffer, size, write, read, _ = struct.unpack_from("<6I", header, 24)
            if (write - read) % size < FULL:
                continue
            ring = debugger.read(buffer, size)
            if ram is None and write < read:
                channels = sum(struct.unpack_from("<2I", header, 16))
                pieces = [(block, debugger.read(block, 24 + 24 * channels)), (buffer, ring)]
                pieces.append((name, debugger.read(name, 8)))
                ram = b"".join(struct.pack("<2I", address, len(data)) + data for address, data in pieces)
                (HERE / "rtt-ram.bin").write_bytes(ram)
            log += ring[read:write] if read < write else ring[read:] + ring[:write]
            # The offset that the reader moves on.
            debugger.write_word(block + 24 + 16, write)
        (HERE / "rtt.bin").write_bytes(log)
    finally:
        emulator.kill()
    assert ram is not None, "what was new never went over the ring's end"
    only = ["--only-section=.defmt", "--strip-debug"]
    subprocess.run(["arm-none-eabi-objcopy", *only, image, HERE / "rtt.elf"], check=True)
    for file in ["rtt.bin", "rtt-ram.bin", "rtt.elf"]:
        print(file, (HERE / file).stat().st_size, "bytes")


if __name__ == "__main__":
    main()
