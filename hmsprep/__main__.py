"""`python -m hmsprep` does what `hmsprep` does."""

from hmsprep.cli import main

if __name__ == "__main__":
    try:
        main()
    finally:
        # Under -m, CPython exits as killed by Ctrl-C if that came while code given as text ran,
        # as a dataclass does, though it was caught since. Such code that ends well resets this.
        exec("")  # noqa: S102
