"""A person at a guest's console: keys go in raw, what it writes comes out. Ctrl-] leaves."""

from __future__ import annotations

import os
import select
import socket
import sys
import termios
import tty

LEAVE = b"\x1d"  # Ctrl-], as telnet has it


def talk(path: str) -> int:
    """Joins this terminal to the console's Unix socket until Ctrl-] or its end."""
    console = socket.socket(socket.AF_UNIX)
    try:
        console.connect(path)
    except OSError as error:
        print(f"tsih shell: {path}: {error.strerror}", file=sys.stderr)
        return 1
    keyboard = sys.stdin.fileno()
    terminal = termios.tcgetattr(keyboard) if os.isatty(keyboard) else None
    print("a root shell; Ctrl-] leaves it", file=sys.stderr)
    try:
        if terminal:
            tty.setraw(keyboard)
        console.sendall(b"\n")
        _pump(console, keyboard)
    finally:
        if terminal:
            termios.tcsetattr(keyboard, termios.TCSADRAIN, terminal)
        console.close()
        print(file=sys.stderr)
    return 0


def _pump(console: socket.socket, keyboard: int) -> None:
    inputs: list = [console, keyboard]
    while True:
        ready, _, _ = select.select(inputs, [], [])
        if console in ready:
            output = console.recv(4096)
            if not output:
                return
            os.write(sys.stdout.fileno(), output)
        if keyboard in ready:
            keys = os.read(keyboard, 4096)
            if LEAVE in keys:
                return
            if not keys:
                inputs.remove(keyboard)  # a pipe that ended: what the shell says is still shown
                continue
            console.sendall(keys)
