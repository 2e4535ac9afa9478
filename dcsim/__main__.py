"""``python -m dcsim``: the command line."""

from dcsim.cli import main

main()
