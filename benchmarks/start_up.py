"""How long the doors take to open: the Lambda function's init against a bare boto3 client, and `cloudfail --help`
against a bare Typer program. Each is a fresh interpreter; they take turns, and the least of each counts, since a busy
machine only ever adds.

Run: python benchmarks/start_up.py [--rounds 10]. Bounds: 2 for each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLIENT = "import boto3; boto3.client('dynamodb', region_name='eu-central-1')"
FUNCTION = "import cloudfail.entrypoints.aws_lambda"
PROGRAM = """
import typer
app = typer.Typer(rich_markup_mode=None)
@app.command()
def one() -> None: "One."
@app.command()
def two() -> None: "Two."
app()
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "bare.py"
        program.write_text(PROGRAM)
        pairs = {
            "Lambda init, of a bare boto3 client's": (["-c", FUNCTION], ["-c", CLIENT]),
            "cloudfail --help, of a bare Typer program's": (["-m", "cloudfail", "--help"], [str(program), "--help"]),
        }
        worst = 0.0
        for name, (ours, floor) in pairs.items():
            times: tuple[list[float], list[float]] = ([], [])
            for _ in range(rounds):
                for argv, taken in zip((ours, floor), times, strict=True):
                    taken.append(seconds(argv))
            own, bare = min(times[0]), min(times[1])
            worst = max(worst, own / bare)
            print(f"{name}: {own * 1e3:.0f} ms / {bare * 1e3:.0f} ms = {own / bare:.2f} (bound 2)")
    return 0 if worst <= 2 else 1


def seconds(argv: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *argv], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
