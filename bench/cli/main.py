"""The group of verbs: loaded lazily, with one place where errors become one line and an exit code.

Exit codes: 0 done; 1 something went wrong that is not the user's doing (a trial ended in an error, a check failed, a
comparison found a regression); 2 bad input; 3 nothing was comparable; 129 stopped by SIGHUP (`run`); 130 stopped by
Ctrl-C; 143 stopped by SIGTERM (`run`).
"""

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from bench import __version__
from bench.cli import voice
from bench.cli.ending import exit_code
from bench.cli.terminal import cleaned_streams
from bench.cli.usage_hints import told

DEBUG_VARIABLE: Final = "GAN_LOSS_BENCH_DEBUG"
"""Set to anything but nothing, it lets unexpected errors through with their traceback, as --verbose does."""

_NO_READER: Final = frozenset({errno.EPIPE, errno.ENOSPC, errno.EIO})
"""Why what is printed cannot be written: its reader has gone (`| head`), or it goes to a file and the disk is full."""

_WRONG_PATH: Final = frozenset(
    {
        *(errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR),
        *(errno.ELOOP, errno.EEXIST, errno.ENXIO),
    }
)
"""What the user can fix by naming another file or folder; a full disk, say, is not of that kind."""

VERBS: Final = {
    "run": "bench.cli.run:run",
    "prepare": "bench.cli.prepare:prepare",
    "list": "bench.cli.list:list_",
    "check": "bench.cli.check:check",
    "probe": "bench.cli.probe:probe",
    "status": "bench.cli.status:status",
    "show": "bench.cli.show:show",
    "sample": "bench.cli.sample:sample",
    "leaderboard": "bench.cli.leaderboard:leaderboard",
    "recommend": "bench.cli.recommend:recommend",
    "compare": "bench.cli.compare:compare",
    "golden": "bench.cli.golden:golden",
    "baseline": "bench.cli.baseline:baseline",
    "report": "bench.cli.report:report",
    "export": "bench.cli.export:export",
    "merge": "bench.cli.merge:merge",
    "kernels": "bench.cli.kernels:kernels",
    "publish": "bench.cli.publish:publish",
    "verify": "bench.cli.verify:verify",
    "atlas": "bench.cli.atlas:atlas",
    "doctor": "bench.cli.doctor:doctor",
}

OVERVIEW: Final = """\
gan-loss-bench trains one fixed DCGAN under every loss and ranks the losses over
paired seeds.

Try next:
  python -m bench run
      train the quick suite, print its leaderboard and write a report
  python -m bench run --method "hinge + r1(gamma=1)" --method nsgan
      compare any losses for their full budget; `list parts` shows what can be
      combined
  python -m bench doctor
      check this machine: versions, device, data

`gan-loss-bench` is the same command, from any folder.
All commands: python -m bench --help
"""


class LazyGroup(voice.VerbGroup):
    """A group whose verbs are imported when they are asked for, and whose errors are one line on stderr."""

    _context: click.Context | None = None
    """Of the last call, which says whether tracebacks are wanted."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> click.Context:
        self._context = super().make_context(info_name, args, parent, **extra)
        return self._context

    def _is_verbose(self) -> bool:
        return self._context is not None and voice.verbose(self._context)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _, function = VERBS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), function)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            from bench.common.names import did_you_mean

            ctx.fail(f"there is no command {name!r}{did_you_mean(name, VERBS)}; there are {', '.join(VERBS)}")
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's signature
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> Any:  # noqa: ANN401 - click's signature
        """Run, and leave with the exit code of this module's table."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        with cleaned_streams():
            try:
                code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
                sys.stdout.flush()
            except Exception as error:
                expected = isinstance(error, click.ClickException | click.Abort)
                if not expected and (os.environ.get(DEBUG_VARIABLE) or self._is_verbose()):
                    raise
                code = _ended_by(error)
        sys.exit(code if isinstance(code, int) else 0)


def _ended_by(error: Exception) -> int:
    """Say in one line what ended the program, and return its exit code."""
    if isinstance(error, click.ClickException):
        _say(told(error) if isinstance(error, click.UsageError) else error.format_message())
        return 2 if isinstance(error, click.UsageError) else error.exit_code
    if isinstance(error, click.Abort):
        _say("stopped")
        return exit_code(error.__cause__)
    if isinstance(error, OSError) and error.filename is None and error.errno in _NO_READER:
        # What is still buffered has nowhere to go.
        with contextlib.suppress(OSError):  # it is no file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # `| head` is no mistake
            _say(f"what is printed cannot be written: {error.strerror}")
        return 1
    if isinstance(error, OSError) and error.filename is not None:
        _say(f"{error.filename}: {error.strerror}")
        return 2 if error.errno in _WRONG_PATH else 1
    if isinstance(error, UnicodeEncodeError) or (isinstance(error, ValueError) and "embedded null" in str(error)):
        _say(f"a name that was given is none that a file can have: {error}")
        return 2
    _say(f"{type(error).__name__}: {error} (unexpected; set {DEBUG_VARIABLE}=1 for the traceback)")
    return 1


def _say(message: str) -> None:
    click.echo(f"error: {' '.join(message.split())}", err=True)


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="gan-loss-bench")
@click.pass_context
def cli(context: click.Context) -> None:
    """A benchmark of GAN losses: one fixed DCGAN, every loss, paired seeds, an honest leaderboard."""
    if context.invoked_subcommand is None:
        click.echo(OVERVIEW, nl=False)
