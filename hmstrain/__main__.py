"""`python -m hmstrain` is `hmstrain`."""

from hmstrain.cli import main

main()
