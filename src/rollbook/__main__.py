"""`python -m rollbook` is the same as `rollbook`."""

from rollbook.cli import main

if __name__ == "__main__":
    main()
