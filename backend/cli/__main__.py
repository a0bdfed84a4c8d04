"""`python -m backend.cli`: the same as the command `autolabel`."""

from backend.cli.commands import main

main()
