"""What ten minutes of a GPU can tell: does everything that was written for one work there, and how fast is it?

    python tests/gpu/checks.py --device cuda --output gpu-checks
    python tests/gpu/checks.py --device cuda --output gpu-checks --from pace
    python tests/gpu/checks.py --device cpu --small --output cpu-checks      # with stand-ins: does this script work?

Every stage is a process of its own with a limit, and says each result in one line of JSON, which is written at once: a
failure, a crash or the end of the time costs nothing that was found. The table comes last, with all results in
OUTPUT/results.jsonl, those of earlier calls too. What was trained or timed is in OUTPUT/results, for

    python -m bench publish results/published/NAME --from OUTPUT/results

Exit status 1 says that a check failed, or that a stage took longer than its limit.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

sys.path.insert(0, str(Path(__file__).parent))

from gpu_results import Result, exit_code, parse, read, table

ROOT: Final = Path(__file__).parents[2]
GRACE_SECONDS: Final = 5.0
"""Between asking a stage to end and ending it."""
LEAST_SECONDS: Final = 10.0
"""A stage for which less is left is not started."""


@dataclass(frozen=True)
class Stage:
    """A part of the checks: the number that the plan gives it, its name, and how many seconds it may take."""

    number: int
    name: str
    limit: float


STAGES: Final = (
    Stage(0, "card", 60),
    Stage(1, "probes", 60),
    Stage(2, "capture", 150),
    Stage(3, "evaluation", 60),
    Stage(4, "company", 100),
    Stage(5, "pace", 180),
    Stage(5, "queues", 100),
    Stage(6, "kernels", 150),
    Stage(7, "precisions", 120),
    Stage(8, "trials", 36_000),
)


def chosen(names: str | None, first: str | None) -> list[Stage]:
    """Return the stages that were asked for, in their order: by name or number, or all from one on.

    Raises:
        ValueError: there is no stage of that name.
    """
    known = {stage.name for stage in STAGES} | {str(stage.number) for stage in STAGES}
    wanted = names.split(",") if names else sorted(known)
    for name in (*wanted, *([first] if first else [])):
        if name not in known:
            raise ValueError(f"there is no stage {name!r}; there are {', '.join(stage.name for stage in STAGES)}")
    begin = next(place for place, stage in enumerate(STAGES) if first in (None, stage.name, str(stage.number)))
    return [stage for stage in STAGES[begin:] if {stage.name, str(stage.number)} & set(wanted)]


def run_stage(
    name: str, command: Sequence[str], limit: float, log: Path, keep: Callable[[Result], None], cwd: Path = ROOT
) -> None:
    """Run a stage in a process group of its own, and keep what it tells as it tells it.

    Args:
        name: of the stage.
        command: prints results on stdout.
        limit: in seconds.
        log: takes what it prints otherwise.
        keep: takes every result.
        cwd: where it runs.
    """
    started = time.monotonic()
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, cwd=cwd, start_new_session=True
        )
    assert process.stdout is not None
    reader = threading.Thread(target=_take, args=(process.stdout, log, keep), daemon=True)
    reader.start()
    cut = False
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        cut = True
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    except KeyboardInterrupt:
        _signal(process, signal.SIGKILL)
        raise
    _signal(process, signal.SIGKILL)  # and what it has left behind
    process.wait()
    reader.join(GRACE_SECONDS)
    if not reader.is_alive():  # else somebody who left the group holds the pipe, and a close would wait for them
        process.stdout.close()
    seconds = time.monotonic() - started
    if cut:
        keep(Result(name, "the stage", "cut", f"stopped after {limit:.0f} s", seconds=seconds))
    elif process.returncode:
        said = f"it ended with {process.returncode}: {_last_line(log)}"
        keep(Result(name, "the stage", "failed", said, seconds=seconds))
    else:
        keep(Result(name, "the stage", "ok", "ended", seconds=seconds))


def _take(lines: IO[bytes], log: Path, keep: Callable[[Result], None]) -> None:
    for line in lines:
        text = line.decode("utf-8", errors="replace")
        result = parse(text)
        if result is not None:
            keep(result)
        else:
            with log.open("a", encoding="utf-8") as file:
                file.write(text)


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:  # all of it has ended
        return


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def run(stages: Sequence[Stage], options: argparse.Namespace, command_of: Callable[[Stage, float], list[str]]) -> int:
    """Run stages until the time is over; print and keep each result, and the table of all. Return the exit status."""
    output: Path = options.output
    output.mkdir(parents=True, exist_ok=True)
    found = output / "results.jsonl"
    deadline = time.monotonic() + 60 * options.minutes
    lock = threading.Lock()

    def keep(result: Result) -> None:
        with lock, found.open("a", encoding="utf-8") as file:
            file.write(result.line() + "\n")
            file.flush()
            os.fsync(file.fileno())
            sys.stdout.write(result.line() + "\n")
            sys.stdout.flush()

    try:
        for stage in stages:
            left = deadline - time.monotonic()
            if left < LEAST_SECONDS:
                keep(Result(stage.name, "the stage", "left", f"no time was left; go on with --from {stage.name}"))
                continue
            limit = min(stage.limit, left)
            run_stage(stage.name, command_of(stage, limit), limit, output / f"{stage.name}.log", keep)
    finally:
        results = read(found)
        text = table(results)
        (output / "table.md").write_text(text + "\n", encoding="utf-8")
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    return exit_code(results)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--device", default="cuda", help="cuda, or cpu, where tapes stand for graphs")
    made.add_argument("--output", type=Path, required=True, help="the folder of all that is found")
    made.add_argument("--minutes", type=float, default=10.0, help="for all stages together")
    made.add_argument("--stages", help="names or numbers with commas between; all by default")
    made.add_argument("--from", dest="first", metavar="STAGE", help="the first stage, by name or number")
    made.add_argument("--data", type=Path, help="the folder of downloaded data, for mnist; else digits")
    made.add_argument("--small", action="store_true", help="everything as small as it can be: tells no pace")
    return made


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    options.output = options.output.resolve()
    try:
        stages = chosen(options.stages, options.first)
    except ValueError as error:
        parser().error(str(error))
    script = str(Path(__file__).parent / "gpu_stages.py")

    def command_of(stage: Stage, limit: float) -> list[str]:
        more = ["--data", str(options.data.resolve())] if options.data else []
        more += ["--small"] if options.small else []
        given = ["--device", options.device, "--output", str(options.output), "--seconds", f"{limit:.0f}"]
        return [sys.executable, script, stage.name, *given, *more]

    return run(stages, options, command_of)


if __name__ == "__main__":
    raise SystemExit(main())
