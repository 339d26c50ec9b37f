"""The command line: `gan-loss-bench`, or `python -m bench`."""

import os
from typing import Final

from bench.cli.main import cli
from bench.cli.shadow import refuse_shadows

NAME: Final = "gan-loss-bench"
COMPLETION_VARIABLE: Final = "_GAN_LOSS_BENCH_COMPLETE"
"""Set by a shell that asks for completions; click derives it from the name."""


def main(name: str = NAME) -> None:
    """Run the command line, called by a name, and leave with its exit code."""
    refuse_shadows()
    if COMPLETION_VARIABLE in os.environ:
        from bench.cli import completion

        completion.use()
    cli(prog_name=name)


if __name__ == "__main__":
    main("python -m bench")
