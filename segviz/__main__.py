"""`python -m segviz`."""

import sys

from segviz.cli import main

sys.exit(main(sys.argv[1:]))
