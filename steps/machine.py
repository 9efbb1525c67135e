"""The machine: whether it is new, blank, healthy, and still itself after a reboot."""

from __future__ import annotations

from pytest_bdd import given, then, when

from cleanroom import activation, closure, custody
from cleanroom.endurance import Reboot
from cleanroom.hypervisor import Hypervisor
from cleanroom.installation import Installation
from cleanroom.repository import Repository
from cleanroom.run import Run
from cleanroom.site import Site
from cleanroom.throwaway import Throwaway


@given("a throwaway that did not exist before this run")
def a_throwaway(throwaway: Throwaway) -> None:
    throwaway.check_identity()


@then("no machine had its identity before")
def identity_is_new(throwaway: Throwaway) -> None:
    throwaway.check_identity()


@then("it was created after the run began")
def created_after(throwaway: Throwaway) -> None:
    throwaway.check_age()


@then("it was made from the declared image")
def made_from_image(throwaway: Throwaway) -> None:
    throwaway.check_image()


@then("whatever bore its name before was deleted first")
def namesake_deleted(throwaway: Throwaway) -> None:
    throwaway.check_namesake()


@then("it held no repository and no container, and took part in no swarm")
def held_no_work(throwaway: Throwaway) -> None:
    throwaway.check_no_work()


@then("it held no secret and no private key")
def held_no_secret(throwaway: Throwaway) -> None:
    throwaway.check_no_secrets()


@then("its only system generation was the image's own")
def only_generation(throwaway: Throwaway) -> None:
    throwaway.check_generation()


@then("the machine runs the system that the flake builds")
def runs_the_flake(throwaway: Throwaway, base: Repository, site: Site) -> None:
    activation.check_system(throwaway.machine, base, site.base.flake_attribute)


@then("the image's generation was followed by a new one, which is the current one")
def new_generation(throwaway: Throwaway) -> None:
    activation.check_generation(throwaway)


@then("no unit has failed and the system is running")
def is_healthy(throwaway: Throwaway, site: Site) -> None:
    activation.check_healthy(throwaway.machine, within=site.incus.boot_within)


@when("the machine is rebooted", target_fixture="reboot")
def rebooted(run: Run, hypervisor: Hypervisor, throwaway: Throwaway, site: Site) -> Reboot:
    return Reboot.of(throwaway.machine, hypervisor, run, within=site.incus.boot_within)


@then("another boot answers, of the same system")
def another_boot(reboot: Reboot) -> None:
    reboot.check()


@then("each of the hypervisor's events about it is an act of this run")
def events_are_ours(run: Run, throwaway: Throwaway) -> None:
    custody.check_events(run.ledger, throwaway.watch)


@then("each log-in on it is one of this run")
def logins_are_ours(run: Run, throwaway: Throwaway) -> None:
    custody.check_logins(run.ledger, throwaway.machine)


@when("the same is done on a second throwaway")
def second_machine(second_installation: Installation) -> None:
    second_installation.demand_complete()


@then("both run the same closure, NAR hash for NAR hash")
def same_closure(installation: Installation, second_installation: Installation) -> None:
    closure.check_same_system(installation.machine, second_installation.machine)
