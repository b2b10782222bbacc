"""`python -m ui` is `fonte`."""

from ui.cli import main

main()
