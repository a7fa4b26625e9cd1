"""`python -m hmsprep` does what `hmsprep` does."""

from hmsprep.cli import main

if __name__ == "__main__":
    main()
