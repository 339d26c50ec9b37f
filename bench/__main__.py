"""`python -m bench`: the command line."""

from bench.cli.main import cli


def main() -> None:
    """Run the command line and leave with its exit code."""
    cli(prog_name="python -m bench")


if __name__ == "__main__":
    main()
