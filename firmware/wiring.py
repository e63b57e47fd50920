#!/usr/bin/env python3
"""Draws `wiring.svg` of each board: run it in any folder, it needs nothing but Python."""

import pathlib

HERE = pathlib.Path(__file__).parent
STEP = 34
FONT = "font-family='Helvetica, Arial, sans-serif'"
RED, BLACK, BLUE, GREEN, ORANGE = "#c0392b", "#333333", "#2166ac", "#2e8b57", "#d9822b"

PICO = {
    "3V3": "pin 36",
    "GND": "pin 38",
    "GP5": "pin 7",
    "GP4": "pin 6",
    "GP0": "pin 1",
    "GP1": "pin 2",
    "GP14": "pin 19",
    "GP15": "pin 20",
    "GP10": "pin 14",
    "GP11": "pin 15",
    "GP12": "pin 16",
    "GP13": "pin 17",
}
PICO_PARTS = [("sensor", ["3V3", "GND", "GP5", "GP4"]), ("A", ["GP14"]), ("B", ["GP15"])]
PICO_PARTS += [(str(number), [pin]) for number, pin in enumerate(["GP10", "GP11", "GP12", "GP13"], 1)]
PICO_PARTS += [("serial", ["GP0", "GP1"])]
NUCLEO = {
    "3V3": "CN6",
    "GND": "CN6",
    "PB8": "D15",
    "PB9": "D14",
    "PA10": "D2",
    "PB5": "D4",
    "PB10": "D6",
    "PA8": "D7",
    "PA9": "D8",
}
NUCLEO_PARTS = [("sensor", ["3V3", "GND", "PB8", "PB9"]), ("B", ["PA10"])]
NUCLEO_PARTS += [(str(number), [pin]) for number, pin in enumerate(["PB5", "PB10", "PA8", "PA9"], 1)]


def text(x, y, words, size=14, anchor="start", fill=BLACK, weight="normal"):
    style = f"font-size='{size}' text-anchor='{anchor}' fill='{fill}' font-weight='{weight}'"
    return f"<text x='{x}' y='{y}' {style} {FONT}>{words}</text>"


def line(points, colour, width=2.5):
    return f"<polyline points='{' '.join(f'{x},{y}' for x, y in points)}' fill='none' stroke='{colour}' stroke-width='{width}'/>"


def box(x, y, width, height, fill, stroke=BLACK):
    return f"<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='6' fill='{fill}' stroke='{stroke}' stroke-width='1.5'/>"


def ground(x, y):
    bars = [line([(x, y - width), (x, y + width)], BLACK) for x, width in ((x, 9), (x + 5, 6), (x + 10, 3))]
    return "".join(bars)


def svg(name, width, height, parts):
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}'>"
    body = [f"<rect width='{width}' height='{height}' fill='white'/>", *parts]
    (HERE / name / "wiring.svg").write_text("\n".join([head, *body, "</svg>", ""]))


def wired(name, title, note, labels, parts):
    """A board on the left, each of its pins level with what it is connected to on the right."""
    drawn, y = [], 118
    for part, pins in parts:
        top = y
        for pin in pins:
            colour = {"3V3": RED, "GND": BLACK}.get(pin, BLUE if part in ("sensor", "serial") else GREEN if part in "AB" else ORANGE)
            drawn.append(f"<circle cx='260' cy='{y}' r='5' fill='#e8c95a' stroke='{BLACK}'/>")
            drawn.append(text(246, y + 5, pin, anchor="end", weight="bold", fill="white"))
            drawn.append(text(188, y + 5, labels[pin], size=12, anchor="end", fill="#dddddd"))
            drawn.append(line([(265, y), (430, y)], colour))
            y += STEP
        middle = top
        if part == "sensor":
            drawn.append(box(430, top - 22, 270, STEP * 3 + 44, "#dfe9f5"))
            for row, terminal in enumerate(["VCC", "GND", "SCL", "SDA"]):
                drawn.append(text(442, top + row * STEP + 5, terminal, weight="bold"))
            drawn.append(text(690, top + STEP + 8, "MPU-6050 (GY-521)", size=15, anchor="end", weight="bold"))
            drawn.append(text(690, top + STEP + 28, "address 0x68: AD0 stays open", size=12, anchor="end"))
            y += 14
        elif part == "serial":
            drawn.append(box(430, top - 22, 270, STEP * 2 + 10, "#e3f0e3"))
            for row, terminal in enumerate(["RX", "TX"]):
                drawn.append(text(442, top + row * STEP + 5, terminal, weight="bold"))
            drawn.append(text(690, top + 3, "debug probe's UART, or", size=14, anchor="end", weight="bold"))
            drawn.append(text(690, top + 21, "USB-serial adapter of 3.3 V", size=14, anchor="end", weight="bold"))
            drawn.append(text(690, top + 39, "its GND to GND, pin 3; for stream", size=12, anchor="end"))
            y += 10
        elif part in "AB":
            drawn.append(line([(430, middle), (470, middle), (504, middle - 13)], GREEN))
            drawn.append(f"<circle cx='470' cy='{middle}' r='3.5' fill='{GREEN}'/><circle cx='510' cy='{middle}' r='3.5' fill='{GREEN}'/>")
            drawn.append(line([(510, middle), (640, middle)], BLACK) + ground(640, middle))
            drawn.append(text(575, middle - 8, f"button {part}", weight="bold", anchor="middle"))
            drawn.append(text(660, middle + 5, "GND", size=12))
        else:
            drawn.append(line([(430, middle), (440, middle)], ORANGE))
            drawn.append(box(440, middle - 8, 52, 16, "#f3e3c8") + text(466, middle + 4, "330 Ω", size=11, anchor="middle"))
            drawn.append(line([(492, middle), (530, middle)], ORANGE))
            drawn.append(f"<polygon points='530,{middle - 10} 530,{middle + 10} 548,{middle}' fill='{RED}'/>")
            drawn.append(line([(549, middle - 10), (549, middle + 10)], RED) + line([(549, middle), (640, middle)], BLACK))
            drawn.append(text(594, middle - 8, f"class {part}", weight="bold", anchor="middle"))
            drawn.append(ground(640, middle) + text(660, middle + 5, "GND", size=12))
    board = [box(20, 50, 240, y - 62, "#1d6b3f"), text(36, 78, title, size=16, fill="white", weight="bold")]
    caption = [text(20, 30, f"{title}: the long leg of each LED is on the resistor's side", size=15, weight="bold")]
    caption.append(text(20, y + 16, note, size=13))
    svg(name, 720, y + 34, caption + board + drawn)


def microbit():
    drawn = [text(20, 30, "BBC micro:bit v2: nothing to wire", size=15, weight="bold"), box(150, 50, 420, 290, "#22262b")]
    drawn.append(box(325, 42, 70, 26, "#bbbbbb") + text(360, 60, "USB", size=12, anchor="middle"))
    for x, button in ((205, "A"), (515, "B")):
        drawn.append(f"<circle cx='{x}' cy='190' r='24' fill='#eeeeee' stroke='#888888' stroke-width='3'/>")
        drawn.append(text(x, 196, button, size=18, anchor="middle", weight="bold"))
    # Class 1, 60 % sure, and a fault.
    picture = ["10100", "01100", "00101", "00101", "01111"]
    for row, lit in enumerate(picture):
        for column, state in enumerate(lit):
            fill = "#ff4433" if state == "1" else "#553333"
            drawn.append(f"<rect x='{288 + column * 32}' y='{118 + row * 32}' width='14' height='18' rx='3' fill='{fill}'/>")
    drawn.append(line([(295, 116), (240, 92), (140, 92)], ORANGE, 1.5) + text(134, 96, "a fault", size=13, anchor="end"))
    drawn.append(line([(295, 268), (240, 300), (140, 300)], ORANGE, 1.5) + text(134, 304, "learning", size=13, anchor="end"))
    drawn.append(line([(345, 268), (345, 320), (590, 320)], ORANGE, 1.5) + text(596, 324, "the class: 1", size=13))
    drawn.append(line([(430, 220), (470, 260), (590, 260)], ORANGE, 1.5) + text(596, 264, "how sure: 60 %", size=13))
    drawn.append(text(134, 195, "hold and move", size=13, anchor="end") + text(596, 195, "the next class", size=13))
    svg("microbit-v2", 720, 360, drawn)


def main():
    microbit()
    wired("pico", "Raspberry Pi Pico", "Debug probe: SWCLK, GND and SWDIO on the three pads at the end of the board.", PICO, PICO_PARTS)
    wired("pico2", "Raspberry Pi Pico 2", "Debug probe: SWCLK, GND and SWDIO on the three pads at the end of the board.", PICO, PICO_PARTS)
    wired("nucleo-f446re", "Nucleo-F446RE", "Button A is the blue one on the board; the debugger is on the board, too.", NUCLEO, NUCLEO_PARTS)


main()
