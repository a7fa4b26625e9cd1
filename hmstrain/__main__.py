"""`python -m hmstrain` does what `hmstrain` does."""

from hmstrain.cli import main

if __name__ == "__main__":
    try:
        main()
    finally:
        exec("")  # noqa: S102  # as in hmsprep: the exit code after Ctrl-C
