"""`make bench`: every measurement, one after the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

here = Path(__file__).parent
for script in sorted(path.stem for path in here.glob("*.py") if not path.stem.startswith("_")):
    print(f"== {script}", flush=True)
    subprocess.run([sys.executable, "-m", f"bench.{script}"], check=True, cwd=here.parent)
