"""The installation: the guide, and what following it did to the machine."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_bdd import given, then, when

from cleanroom import conduct, inputs, regression
from cleanroom.endurance import Repetition
from cleanroom.guide import Guide
from cleanroom.inputs import Input
from cleanroom.installation import Follower, Installation
from cleanroom.run import Run
from cleanroom.site import Site
from cleanroom.throwaway import Throwaway


@when("the install guide is followed on it")
def guide_is_followed(installation: Installation) -> None:
    assert installation.outcomes


@given("a machine on which the guide was followed to its end")
def guide_was_followed(installation: Installation) -> None:
    installation.demand_complete()


@then("a command of the guide that names the bootstrap key brought it")
def key_was_brought(installation: Installation) -> None:
    conduct.check_key_bringer(installation)


@then("what lies at its documented path is the bootstrap key")
def key_is_there(throwaway: Throwaway, site: Site) -> None:
    conduct.check_key(throwaway.machine, site.bootstrap.key_file, site.bootstrap.machine_path)


@then("nothing but the suite's own access was put into the machine beside the guide")
def nothing_else_delivered(run: Run, throwaway: Throwaway) -> None:
    conduct.check_deliveries(run.ledger, throwaway.machine)


@when("everything that entered it is listed: by whom, which way, what, how many bytes, with which digest", target_fixture="entries")
def inputs_are_listed(run: Run, throwaway: Throwaway, guide: Guide) -> Sequence[Input]:
    return inputs.listing(run.ledger, throwaway.machine, guide)


@then("each entry of the list is told in full")
def inputs_are_told(entries: Sequence[Input]) -> None:
    inputs.check_told(entries)


@then("no byte went over the suite's channels or the guide's own that no entry accounts for")
def channels_are_accounted_for(run: Run, throwaway: Throwaway) -> None:
    inputs.check_channels(run.ledger, throwaway.machine)


@then("each path in its store comes from the image, from git or a cache on the list, or was built on it")
def store_is_accounted_for(run: Run, throwaway: Throwaway) -> None:
    inputs.check_store(run.ledger, throwaway.machine)


@then("each command of the guide ran once, in the order it is written, and ended as documented")
def commands_ran(run: Run, guide: Guide) -> None:
    conduct.check_followed(run.ledger, guide)


@then("every other command on the machine only looked")
def others_only_looked(run: Run, throwaway: Throwaway, site: Site) -> None:
    conduct.check_only_looked(run.ledger, throwaway.machine, regression=regression.argv(site))


@when("the guide's rebuild command is run again", target_fixture="repetition")
def rebuilt_again(run: Run, guide: Guide, follower: Follower, site: Site) -> Repetition:
    return Repetition.of(guide, follower, run, rebuild=site.guide.rebuild)


@then("it ended well and built nothing")
def built_nothing(repetition: Repetition) -> None:
    repetition.check_nothing_built()


@then("no unit and no swarm task was restarted by it")
def nothing_restarted(repetition: Repetition) -> None:
    repetition.check_nothing_restarted()
