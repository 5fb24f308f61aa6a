"""``python -m photodefect`` is ``photodefect``."""

from __future__ import annotations

import signal


def run() -> None:
    """Run the command line. Ctrl-C while it is being imported ends the program without a word."""
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from photodefect.cli import main  # noqa: PLC0415

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


if __name__ == "__main__":
    run()
