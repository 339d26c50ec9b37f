"""The pages of the commands, made from what each command says of itself."""

import inspect
import re
from collections.abc import Iterator
from typing import Final

import click

from bench.cli.main import cli

FOLDER: Final = "reference/commands"
_OPTION: Final = re.compile(r"(?<![`\w-])(--[a-z][a-z-]*)(?![\w`])")
MARK: Final = "*This page is made from the code when the site is built.*"


def pages() -> dict[str, str]:
    """Return a page for every command, and one that lists them."""
    context = click.Context(cli, info_name="python -m bench", **cli.context_settings)
    commands = {name: known for name in cli.list_commands(context) if (known := cli.get_command(context, name))}
    lines = [
        "# Commands", "", f"`gan-loss-bench` is the same command as `python -m bench`. {MARK}", "",
        "| command | what it does |", "|---|---|",
    ]  # fmt: skip
    lines += [
        f"| [`{name}`]({name}.md) | {_cell(command.get_short_help_str(200))} |" for name, command in commands.items()
    ]
    made = {f"{FOLDER}/index.md": "\n".join([*lines, ""])}
    for name, command in commands.items():
        own = click.Context(command, info_name=name, parent=context)
        made[f"{FOLDER}/{name}.md"] = "\n".join([*_page(command, own, level=1), MARK, ""])
    return made


def _page(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path.removeprefix('python -m bench ')}"
    yield from ("", "```", " ".join([context.command_path, *command.collect_usage_pieces(context)]), "```", "")
    yield from (_text(command.help or ""), "")
    options = [parameter for parameter in command.get_params(context) if isinstance(parameter, click.Option)]
    records = [record for option in options if (record := option.get_help_record(context))]
    if records:
        yield from ("| option | |", "|---|---|")
        yield from (f"| {_option(names)} {_cell(help_text)} |" for names, help_text in records)
        yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _page(inner, click.Context(inner, info_name=name, parent=context), level + 1)


def _option(names: str) -> str:
    """Return the first cell of an option, its spellings, and the beginning of the second, what it takes."""
    found = re.fullmatch(r"((?:-[\w-]+(?:, | / )?)+) ?(.*)", names)
    assert found is not None, names
    taken = f"`{found[2].replace('|', chr(92) + '|')}`" if found[2] else ""
    return f"`{found[1]}` | {taken}"


def _text(help_text: str) -> str:
    """Return the help as paragraphs; one that click must not wrap, by its mark, stays as a block."""
    paragraphs = []
    for paragraph in inspect.cleandoc(help_text).split("\n\n"):
        if paragraph.startswith("\b"):
            paragraphs.append("```text\n" + paragraph.removeprefix("\b").strip("\n") + "\n```")
        else:
            paragraphs.append(escaped(paragraph))
    return "\n\n".join(paragraphs)


def _cell(text: str) -> str:
    return escaped(" ".join(text.split())).replace("|", "\\|")


def escaped(text: str) -> str:
    """Return a text in which no word is taken for HTML or for a mark of emphasis, and options are code."""
    parts = _OPTION.sub(r"`\1`", text).split("`")
    parts[::2] = [part.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_") for part in parts[::2]]
    return "`".join(parts)
