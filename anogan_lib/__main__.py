"""`python -m anogan_lib` is the command `anogan`."""

import sys

from anogan_lib.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
