"""How a claim stands in the table of docs/reproductions.md, whoever looked: a probe or a campaign."""

from typing import Final

HEAD: Final = (
    "| what | published | found | verdict | why | command |",
    "| --- | --- | --- | --- | --- | --- |",
)


def row(subject: str, published: str, words: str, verdict: str, reason: str, *commands: str) -> str:
    """Return the line of a claim: what a source says, what was found, why, and the commands that show it."""
    shown = " and ".join(f"`{command}`" for command in commands)
    return "| " + " | ".join((subject, published, words, verdict, reason, shown)) + " |"
