"""`python3 -m tsih_report`: the same as tsih-report."""

import sys

from .cli import main

sys.exit(main())
