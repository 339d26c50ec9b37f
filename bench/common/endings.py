"""How a process has ended, in words."""

import signal


def how_it_ended(code: int) -> str:
    """Return a clause on a process that has ended with this exit code, or by minus this signal."""
    if code >= 0:
        return f"it ended with exit code {code}"
    if -code == signal.SIGKILL:
        return "it was killed by SIGKILL (often the system's out-of-memory killer)"
    known = {number.value: number.name for number in signal.Signals}
    return f"it was killed by {known.get(-code, f'signal {-code}')}"
