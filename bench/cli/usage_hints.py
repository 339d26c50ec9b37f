"""What to add to a message about the command line: the spelling that was meant."""

import click


def told(error: click.UsageError) -> str:
    """Return the message of a wrong command line, with how to write what was probably meant."""
    message, context = error.format_message(), error.ctx
    if context is None:
        return message
    params = context.command.params
    if isinstance(error, click.NoSuchOption):
        word = error.option_name.lstrip("-")
        for parameter in params:
            if isinstance(parameter, click.Argument) and parameter.name in (word, f"{word}s"):
                return (
                    f"there is no option {error.option_name} here, since {word}s stand by themselves: "
                    f"{context.command_path} {parameter.make_metavar(context)}"
                )
        return message if error.possibilities else f"{message.rstrip('.')}; see {context.command_path} --help"
    options = {opt for parameter in params for opt in parameter.opts}
    if "unexpected extra argument" in message and "--method" in options:
        return f"{message}; a method is named with --method, a file of your own losses with --losses"
    return message
