"""What the benchmarks share: the local Discord, bots at it, people who type, figures."""

import contextlib
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
DRBOT = TARGET / "release" / "drbot"
TOKEN = "rehearsal-token"


def free_port():
    """Below those that the kernel gives to connections, which would have it before a container does."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def process(arguments, log, **variables):
    """Runs a program until the block ends; what it says goes into a file."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    child = subprocess.Popen(
        [str(argument) for argument in arguments],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=ROOT,
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


class Rehearsal:
    """A local Discord without a bot, as a process of its own, and its people."""

    def __init__(self, port):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def call(self, method, what, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, f"/rehearsal/api/{what}", body and json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def command(self, person, command, **options):
        body = {"person": person, "channel": "incidents", "command": command, "options": options}
        return self.call("POST", "command", body)

    def wait(self, what, holds, limit=60, every=0.002):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            found = holds()
            if found:
                return found
            time.sleep(every)
        sys.exit(f"waited {limit} s in vain for {what}")

    def ready(self, command):
        def holds():
            state = self.call("GET", "state")
            return state["connected"] and any(known["name"] == command for known in state["commands"])

        self.wait(f"a bot with /{command}", holds)

    def messages(self, person="Dana"):
        return self.call("GET", f"messages?channel=incidents&person={urllib.parse.quote(person)}")


@contextlib.contextmanager
def rehearsal():
    if not DRBOT.exists():
        sys.exit(f"{DRBOT} is missing: cargo build --release")
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/log", "w+") as log:
        local = Rehearsal(free_port())
        arguments = [DRBOT, "rehearse", "--without-bot", "--listen", f"127.0.0.1:{local.port}"]
        with process(arguments, log, DRBOT_DATA=folder, DRBOT_CONFIG=str(ROOT / "bench/config")):
            def answers():
                try:
                    return local.call("GET", "state")
                except OSError:
                    return None

            local.wait("the rehearsal", answers)
            yield local


@contextlib.contextmanager
def drbot(local, folder, config=ROOT / "bench/config", **variables):
    """drbot as an operator runs it, with the benchmarks' commands or others. `folder` is its memory."""
    with open(pathlib.Path(folder) / "drbot.log", "a") as log:
        with process(
            [DRBOT, "serve"], log,
            DRBOT_CONFIG=str(config), DRBOT_DATA=str(pathlib.Path(folder) / "data"),
            DISCORD_API_URL=local.url, DISCORD_TOKEN=TOKEN, **variables,
        ) as child:
            yield child


@contextlib.contextmanager
def discord_py(local, folder):
    """The bot to compare with, in a virtual environment with discord.py (scripts/peers makes it)."""
    python = ROOT / "target/peers/bin/python"
    if not python.exists():
        sys.exit(f"{python} is missing: scripts/peers")
    with open(pathlib.Path(folder) / "discord_py.log", "a") as log:
        with process([python, ROOT / "bench/discord_py_bot.py", local.url], log) as child:
            yield child


def resident(child):
    """Memory of a process in MiB."""
    for line in pathlib.Path(f"/proc/{child.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    sys.exit("no VmRSS")


def milliseconds(snowflake):
    """The time in one of Discord's ids."""
    return int(snowflake) >> 22


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(header, rows):
    widths = [max(len(str(row[column])) for row in [header, *rows]) for column in range(len(header))]
    line = lambda row: "| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |"
    print(line(header))
    print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    for row in rows:
        print(line(row))


def median(values):
    return statistics.median(values)
