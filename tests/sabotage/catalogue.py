"""Every sabotage by its full name, `chapter/name`.

Knows: that every module of this folder with `SABOTAGES` is a chapter, and what a run without any sabotage must cover to be their control.
Refuses: two of one name.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from cleanroom import inventory
from cleanroom.inventory import ON_REQUEST
from tests.sabotage.bench import ROOT, Sabotage

#: What is in this folder and is no chapter.
MACHINERY = {"__main__", "bench", "catalogue", "edits", "finding", "job", "lanes", "matrix", "sites", "tail"}
_NAMES = [found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)])]
_MODULES = [import_module(f"tests.sabotage.{name}") for name in _NAMES if name not in MACHINERY]
CHAPTERS = [module for module in _MODULES if hasattr(module, "SABOTAGES")]

CATALOGUE: dict[str, Sabotage] = {
    f"{module.__name__.rpartition('.')[2]}/{sabotage.name}": sabotage for module in CHAPTERS for sabotage in module.SABOTAGES
}
if len(CATALOGUE) < sum(len(module.SABOTAGES) for module in CHAPTERS):
    raise ValueError("two sabotages of one chapter have the same name")


def chosen(prefixes: Sequence[str], *, static: bool = False) -> dict[str, Sabotage]:
    """Those whose names begin with one of `prefixes` (all, if there is none), those that need no machine if `static`."""
    return {
        name: sabotage
        for name, sabotage in CATALOGUE.items()
        if (not prefixes or name.startswith(tuple(prefixes))) and (sabotage.static or not static)
    }


def controls(selected: Mapping[str, Sabotage]) -> dict[str, Sabotage]:
    """The same runs without anything broken: whole features for those that run whole ones, and whatever those do not cover."""
    whole = {sabotage.feature for sabotage in selected.values() if not sabotage.static and not sabotage.options}
    runs: set[tuple[str, tuple[str, ...], bool]] = {("" if len(whole) > 1 else feature, (), False) for feature in whole}
    for sabotage in selected.values():
        is_covered = (len(whole) > 1 or sabotage.feature in whole) and not set(sabotage.options) & {tag.removeprefix("@") for tag in ON_REQUEST}
        if not is_covered:
            runs.add((sabotage.feature, tuple(sabotage.options), sabotage.static))
    nothing = Sabotage(name="control", story="nothing was broken", reddens={}, own_site=True)
    return {
        f"control{number}": replace(nothing, feature=feature, options=options, static=static)
        for number, (feature, options, static) in enumerate(sorted(runs), start=1)
    }


def unreddened() -> list[str]:
    """Scenarios (rows too, those on request too) that no sabotage must redden."""
    reddened = {f"{sabotage.feature}: {title}" for sabotage in CATALOGUE.values() for title in sabotage.reddens}
    return [planned.identity for planned in inventory.read(ROOT / "features").scenarios if planned.identity not in reddened]
