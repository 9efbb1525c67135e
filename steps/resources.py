"""Resources and guardrails: sizes, memory over time, what is left, and what must never be sent."""

from __future__ import annotations

from pytest_bdd import given, parsers, then, when

from cleanroom import custody, guardrails, regression
from cleanroom.guardrails import MemoryTrial, Trial
from cleanroom.hypervisor import Hypervisor
from cleanroom.machine import Machine
from cleanroom.run import Run
from cleanroom.site import Site
from cleanroom.surroundings import estate, memory, neighbours, resize, sizing, survey
from cleanroom.surroundings.resize import Resizing
from cleanroom.surroundings.sizing import Decided
from cleanroom.throwaway import Throwaway


@given("the hypervisor, with everything that runs on it")
@given("the hypervisor, behind the guard")
def the_hypervisor(hypervisor: Hypervisor) -> None:
    assert hypervisor.client.api


@then("the throwaway fits beside it: within the guideline, and within what is physically there")
def throwaway_fits(hypervisor: Hypervisor) -> None:
    memory.check_room(hypervisor)


@then("the decisions record the final size of the canonical host")
def size_is_recorded(decided_sizes: dict[str, Decided], site: Site) -> None:
    sizing.check_recorded(decided_sizes, site.incus.canonical_host, file=site.resources.decisions)


@then("each machine that they give a size has that size")
def sizes_are_applied(decided_sizes: dict[str, Decided], hypervisor: Hypervisor, site: Site) -> None:
    sizing.check_applied(decided_sizes, hypervisor.instances(), file=site.resources.decisions)


@given("the canonical host, which runs today")
def the_canonical_host(canonical_host: Machine) -> None:
    assert canonical_host.name


@then("it has the size that the decisions record")
def canonical_has_size(canonical_host: Machine, decided_sizes: dict[str, Decided], hypervisor: Hypervisor, site: Site) -> None:
    sizing.check_recorded(decided_sizes, canonical_host.name, file=site.resources.decisions)
    decided = decided_sizes[canonical_host.name]
    sizing.check_applied({canonical_host.name: decided}, hypervisor.instances(), file=site.resources.decisions)
    resize.check_sees(hypervisor, canonical_host, decided.size)


@then("no unit on it has failed, its units have converged, and its services have their replicas")
def canonical_is_healthy(canonical_host: Machine, site: Site) -> None:
    resize.check_canonical_healthy(canonical_host, site)


@then("it has the declared memory, by its configuration and by what the machine sees itself")
def throwaway_memory(hypervisor: Hypervisor, throwaway: Throwaway) -> None:
    resize.check_throwaway(hypervisor, throwaway.machine)


@when("its memory is set while it runs", target_fixture="memory_trial")
def memory_is_set(hypervisor: Hypervisor, throwaway: Throwaway) -> MemoryTrial:
    return MemoryTrial.of(hypervisor, throwaway.machine.name)


@then("the suite refuses, and nothing is sent")
def memory_refused(memory_trial: MemoryTrial) -> None:
    memory_trial.check_refused()


@then("its state and its memory are what they were")
def memory_unchanged(memory_trial: MemoryTrial) -> None:
    memory_trial.check_unchanged()


@when("it is made smaller and given back what it had", target_fixture="resizing")
def is_resized(throwaway: Throwaway, hypervisor: Hypervisor, run: Run, site: Site) -> Resizing:
    return Resizing.of(throwaway.machine, hypervisor, run, within=site.incus.boot_within)


@then("it stood still each time its memory was set, and ran before and after")
def resized_in_order(resizing: Resizing) -> None:
    resizing.check_order()


@then("each size was applied, by the hypervisor's word and by the machine's")
def sizes_were_applied(resizing: Resizing, hypervisor: Hypervisor) -> None:
    resizing.check_sizes(survey.physical_memory(hypervisor))


@when("the run cleans up after itself")
def cleans_up(emptied: None) -> None:
    assert emptied is None


@then("memory was measured from before the throwaway until it was gone, without a gap")
def memory_was_measured(run: Run) -> None:
    memory.check_whole(run.ledger)


@then("everything that ran could take no more than the guideline together, at every moment")
def within_guideline(run: Run, site: Site) -> None:
    memory.check_guideline(run.ledger, site.incus)


@then("no more than is physically there")
def within_physical(run: Run, site: Site) -> None:
    memory.check_physical(run.ledger, site.incus)


@then("the throwaway was seen to be gone")
def throwaway_is_gone(run: Run, throwaway: Throwaway) -> None:
    custody.check_gone(run.ledger, throwaway.machine.name)


@then("the hypervisor holds nothing that it did not hold before the run")
def nothing_is_left(run: Run) -> None:
    estate.check_nothing_left(run.ledger)


@then("no key of the run lies on this side")
def no_key_is_left(run: Run) -> None:
    estate.check_no_keys([run.scratch, run.folder])


@when(parsers.parse("{request} is asked for"), target_fixture="refused")
def is_asked_for(request: str, hypervisor: Hypervisor, run: Run) -> Trial:
    return Trial.of(request, hypervisor, run)


@then("it is refused, and nothing is sent")
def request_is_refused(refused: Trial) -> None:
    refused.check_refused()


@then("this run asked for it, and what bears its name is still that machine, with this run's mark")
def is_not_adopted(run: Run, hypervisor: Hypervisor, throwaway: Throwaway) -> None:
    guardrails.check_not_adopted(run.ledger, hypervisor, throwaway)


@when("the site's own regression is run on it", target_fixture="regression_outcome")
def regression_is_run(throwaway: Throwaway, site: Site, run: Run) -> regression.Outcome:
    return regression.run_on(throwaway.machine, site, run)


@then("each of its named lines is there and holds")
def regression_holds(regression_outcome: regression.Outcome) -> None:
    regression_outcome.check()


@then("every request of the run was of the declared project, and every change one of the throwaway")
def only_declared_project(run: Run, site: Site) -> None:
    guardrails.check_only_declared(run.ledger, site.incus.project)


@then("there was no throwaway at any moment but those that the run asked for")
def no_other_throwaway(run: Run, site: Site) -> None:
    neighbours.check_throwaways(run.ledger, site.incus)


@then("no other instance's configuration, state or boot changed while it lasted")
def neighbours_unchanged(run: Run, site: Site) -> None:
    neighbours.check_unchanged(run.ledger, site.incus)
    neighbours.check_untold(run.ledger, site.incus)
