"""`python -m segviz`, the same as the command `segviz`."""

import sys

from segviz.cli import main

sys.exit(main())
