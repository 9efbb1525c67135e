"""`python -m tests.mutation [MODULE...]`: try a seeded sample of wrong versions of each module.

Knows: exit status 0; 1 if more than a tenth of a module's survive, whether survivors.toml explains them or not, or if it leaves one unexplained;
2 if there is nothing to try, or something was not tried.
Refuses: to try a module whose tests are red as it is.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import time
import tomllib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tests.mutation import mutants
from tests.mutation.trial import ROOT, attempt, attempt_until, path_of
from tests.workers import ending_workers, leads_a_group

#: What must not be wrong without anybody noticing, and the tests that are there to notice it (patterns below tests/, the quickest first).
#: More would notice more: what survives is at most.
MODULES: dict[str, str] = {
    "cleanroom.ledger": "unit/test_ledger.py",
    "cleanroom.verdict": "unit/test_verdict.py",
    "cleanroom.guide": "unit/test_guide.py",
    "cleanroom.guide_shell": "unit/test_guide_shell_asked.py unit/test_guide_shell.py",
    "cleanroom.vault": "unit/test_vault_seen.py unit/test_vault_write.py unit/test_vault_vectors.py unit/test_vault_tampering.py",
    "cleanroom.sops.tree": "unit/test_sops_*.py unit/test_vault_write.py unit/test_vault_vectors.py",
    "cleanroom.sops.cipher": "unit/test_sops_cipher.py unit/test_sops_calendar.py",
    "cleanroom.sops.rules": "unit/test_sops_rules.py unit/test_sops_config.py unit/test_vault_write.py",
    "cleanroom.leaks": "unit/test_leaks_told.py unit/test_leaks.py unit/test_leaks_git.py",
    "cleanroom.leak.search": "unit/test_leaks_search.py unit/test_leaks.py",
    "cleanroom.leak.coverage": "unit/test_leaks_coverage.py unit/test_leaks.py",
    "cleanroom.leak.forms": "unit/test_leaks_forms.py",
    "cleanroom.verifier": "unit/test_verifier_parts.py unit/test_verifier_story.py unit/test_verifier.py proofs/test_forgeries.py",
    "cleanroom.conduct": "unit/test_conduct.py unit/test_trial.py",
    "cleanroom.watchdog": "unit/test_watchdog.py",
    "cleanroom.redact": "unit/test_redact.py",
}
#: Of a module's wrong versions, the share that may survive, each with a word for it.
MOST = 0.10
_EXPLAINED = Path(__file__).with_name("survivors.toml")


def main(arguments: list[str]) -> int:
    """Try what is asked for; returns the exit status."""
    options = _parser().parse_args(arguments)
    wanted = [module for module in MODULES if not options.modules or module.removeprefix("cleanroom.").startswith(tuple(options.modules))]
    if not wanted:
        print(f"there is no such module; there are: {', '.join(MODULES)}", file=sys.stderr)
        return 2
    until = time.monotonic() + options.minutes * 60
    with ProcessPoolExecutor(options.workers, multiprocessing.get_context("spawn"), initializer=leads_a_group) as pool, ending_workers():
        try:
            results = [_module(module, options, pool, until) for module in wanted]
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(json.dumps(results, indent=1))
    bad = [result["module"] for result in results if result["unexplained"] or len(result["survivors"]) > MOST * result["tried"]]
    left = [result["module"] for result in results if result["tried"] < result["chosen"]]
    print(f"{sum(r['tried'] for r in results)} tried, {sum(len(r['survivors']) for r in results)} survive")
    print(f"over {MOST:.0%} survive, or one without a word, in: {', '.join(bad) or 'none'}; not, or not all, tried: {', '.join(left) or 'none'}")
    return 1 if bad else 2 if left else 0


def _module(module: str, options: argparse.Namespace, pool: ProcessPoolExecutor, until: float) -> dict[str, Any]:
    everything = mutants.all_of(path_of(module).read_text())
    chosen = random.Random(f"{options.seed} {module}").sample(everything, min(options.sample, len(everything)))  # noqa: S311 - a sample, no secret
    result: dict[str, Any] = {"module": module, "mutants": len(everything), "chosen": len(chosen), "tests": MODULES[module]}
    fate, seconds = pool.submit(attempt, module, None, MODULES[module], 300.0).result()
    if fate != "survived":
        print(f"{module}: its tests are red, or there are none: {fate}")
        return {**result, "tried": 0, "survivors": [], "unexplained": 0}
    limit = seconds * 6 + 20  # a busy machine must not pass for a loop that never ends
    fates = {mutant: pool.submit(attempt_until, until, module, mutant.number, MODULES[module], limit) for mutant in chosen}
    counts = Counter(future.result() for future in fates.values())
    survivors = [mutant for mutant, future in fates.items() if future.result() == "survived"]
    known = tomllib.loads(_EXPLAINED.read_text()).get(module, {})
    unexplained = [mutant for mutant in survivors if mutant.key not in known]
    tried = len(chosen) - counts["not tried"]
    print(f"{module}: {dict(counts)} of {len(everything)} ({seconds:.1f} s a trial); {len(unexplained)} survivors without a word", flush=True)
    for mutant in unexplained:
        print(f"    {path_of(module).relative_to(ROOT)}:{mutant.line} {mutant.key}", flush=True)
    return {**result, **counts, "tried": tried, "unexplained": len(unexplained), "survivors": [f"{each.line} {each.key}" for each in survivors]}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="beginnings of names without cleanroom.: ledger, leak")
    parser.add_argument("--sample", type=int, default=40, help="wrong versions a module (default 40)")
    parser.add_argument("--seed", default="1", help="what chooses the sample")
    parser.add_argument("--minutes", type=float, default=90.0, help="when to stop trying (default 90)")
    parser.add_argument("--workers", type=int, default=2, help="side by side (default 2)")
    parser.add_argument("--report", type=Path, default=ROOT / "reports/mutation.json", help="where the figures go")
    return parser


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("interrupted, before all was tried", file=sys.stderr)
        raise SystemExit(130) from None
