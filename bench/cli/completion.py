"""What the tab key offers in a shell, and how bash gets it; `shells` has zsh and fish.

eval "$(_GAN_LOSS_BENCH_COMPLETE=bash_source gan-loss-bench)"
"""

import os
from typing import Final

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

from bench.cli.shells import Fish, Zsh
from bench.files.places import expanded

_SOURCE: Final = """\
%(complete_func)s() {
    local IFS=$'\\n'
    local response type value completion
    response=$(env BENCH_LINE="${COMP_LINE:0:$COMP_POINT}" BENCH_WORD="$2" %(complete_var)s=bash_complete "$1")
    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        if [[ $type == 'dir' ]]; then
            COMPREPLY=()
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            COMPREPLY=()
            compopt -o default
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("$value")
            [[ $value == *[:/=] ]] && compopt -o nospace
        fi
    done
    return 0
}
%(complete_func)s_setup() {
    complete -o nosort -F %(complete_func)s %(prog_name)s
}
%(complete_func)s_setup;
"""


class Bash(BashComplete):
    """Completion in bash, also of words with a colon or an equals sign, at which bash divides them, and in quotes.

    click reads bash's own division, in which `imagefolder:photos` is three words. This one divides the line itself,
    and hands back of each completion what bash takes for the rest of the word.
    """

    source_template = _SOURCE

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["BENCH_LINE"]
        # The x ends the line with a word in any case, which is the one that is being typed.
        *words, incomplete = split_arg_string(f"{line}x")
        incomplete = incomplete[:-1]
        word = os.environ["BENCH_WORD"]
        before = incomplete.removesuffix(word) if word else incomplete[: _last_break(incomplete)]
        # click completes the part behind the equals sign of an option alone.
        self._before = before.partition("=")[2] if before.startswith("--") else before
        return words[1:], incomplete

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type},{item.value.removeprefix(self._before)}"


def _last_break(word: str) -> int:
    """Return how much of a word bash has done with when it asks for what comes after a colon or an equals sign."""
    return max(word.rfind(":"), word.rfind("=")) + 1


def use() -> None:
    """Have click complete in bash, zsh and fish by the classes of this program."""
    for shell in (Bash, Zsh, Fish):
        add_completion_class(shell)


def complete_methods(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the catalogue's methods, and behind a plus sign the parts that can be added."""
    from bench.report.methods import methods, parts

    before, plus, last = incomplete.rpartition("+")
    if not plus:
        return [
            CompletionItem(method.name, help=method.summary)
            for method in methods()
            if method.name.startswith(incomplete)
        ]
    added = [part for part in parts() if part.kind != "objective" and part.name.startswith(last.lstrip())]
    return [CompletionItem(f"{before}+ {part.name}", help=part.summary) for part in added]


def complete_workloads(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from bench import data

    prefixes = [f"{family.form.prefix}:" for family in data.families() if family.form is not None]
    known = [CompletionItem(name) for name in data.names() if name.startswith(incomplete)]
    for prefix in prefixes:
        if incomplete.startswith(prefix):
            known += [CompletionItem(f"{prefix}{folder}/") for folder in _folders(incomplete.removeprefix(prefix))]
        elif prefix.startswith(incomplete):
            known.append(CompletionItem(prefix))
    return known


def _folders(incomplete: str) -> list[str]:
    """Return the folders whose path begins so, spelled as it begins."""
    parent, slash, start = incomplete.rpartition("/")
    try:
        base = expanded(f"{parent}{slash}" or ".")
        inner = sorted(path.name for path in base.iterdir() if path.is_dir())
    except (OSError, ValueError):  # nothing to offer where nothing can be read, or where no user has that name
        return []
    return [f"{parent}{slash}{name}" for name in inner if name.startswith(start) and (start or name[0] != ".")]


def complete_suites(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from bench.config.suite import suite_names

    return [CompletionItem(name) for name in suite_names() if name.startswith(incomplete)]
