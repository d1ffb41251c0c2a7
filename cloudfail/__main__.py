"""`python -m cloudfail`: the same as the `cloudfail` command."""

from cloudfail.entrypoints.cli import main

main()
