"""The command ``dcsim``, also as ``python -m dcsim``: light, so that Ctrl-C is heard while the rest loads."""

from __future__ import annotations

import sys

_INTERRUPTED = 130


def main() -> None:
    """Load the command line and run it."""
    try:
        from dcsim.cli import main as run_command_line  # here: a third of a second in which Ctrl-C may come

        run_command_line()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was saved\n")
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
