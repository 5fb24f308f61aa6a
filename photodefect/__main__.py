"""``python -m photodefect`` is ``photodefect``."""

from photodefect.cli import main

if __name__ == "__main__":
    main()
