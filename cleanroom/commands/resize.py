"""`cleanroom resize`: another size for a machine that the site lets be resized - stop, set, start, healthy before and after.

Knows: exit status 0 when it was done (or, without `--yes`, could be), 1 when the machine is not well, 2 when nobody can tell or it is refused.
Refuses: to do anything without `--yes`, and to begin while a run works in the project.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from cleanroom import canonical, quantities
from cleanroom.commands.sweep import site_file
from cleanroom.errors import BadInput
from cleanroom.hypervisor import Hypervisor
from cleanroom.ledger import Ledger
from cleanroom.marks import ProjectLock
from cleanroom.quantities import show_size
from cleanroom.redact import Redactor
from cleanroom.site import Site
from cleanroom.surroundings.resize import Plan


def register(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    parser = commands.add_parser("resize", help="stop a machine, give it another size, start it, and see that it is well")
    parser.add_argument("name", help="an instance that the site file lets be resized (resources.may_resize)")
    parser.add_argument("size", help="its memory, such as 4GiB")
    parser.add_argument("--site", metavar="FILE", default=os.environ.get("CLEANROOM_SITE"), help="site file (default: the embedded lab)")
    parser.add_argument("--yes", action="store_true", help="do it")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Resize; returns the exit status."""
    site = Site.load(site_file(options.site))
    try:
        memory = quantities.size(options.size)
    except ValueError as problem:
        raise BadInput(str(problem), where=options.size) from None
    lock = ProjectLock(site.incus.endpoint, site.incus.project).take("(a resize)")
    # The library acts with a record or not at all; this one goes when the command has ended.
    with tempfile.TemporaryDirectory() as folder, closing(Ledger(Path(folder), Redactor())) as ledger, ExitStack() as stack:
        stack.callback(lock.release)
        hypervisor = Hypervisor.connect(site.incus, record=ledger.record)
        plan = Plan.of(hypervisor, site, options.name, memory)
        print(f"{options.name}: {show_size(plan.now)} to {show_size(memory)}, beside {show_size(plan.beside)} that run")
        if not options.yes:
            print("say --yes, and it is stopped, resized and started")
            return 0
        host = canonical.connect(site, ledger.record)
        with closing(host.ssh):
            plan.carry_out(host, ledger.record)
    print(f"{options.name} has {show_size(memory)}, and is well")
    return 0
