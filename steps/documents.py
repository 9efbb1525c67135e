"""The documents: what they state, name, ask for and decide, and whether their commands are needed."""

from __future__ import annotations

from pytest_bdd import given, then, when

from cleanroom.ablation import Ablation
from cleanroom.documents import decisions, model, preconditions, stale, statements, whereabouts
from cleanroom.documents.library import Library
from cleanroom.documents.names import Named, World
from cleanroom.guide import Guide
from cleanroom.repository import Repository
from cleanroom.site import Site
from cleanroom.throwaway import Throwaway


@given("the site's documents at the revision under test")
def the_documents(library: Library) -> None:
    assert library.documents


@then("each statement that they must make stands in its document, in a sentence that affirms it")
def statements_are_made(library: Library, site: Site) -> None:
    statements.check_made(library, model.statements(site.statement))


@then("none of them tells of a certificate dropped in, of a secret on a host alone, or of sops bound to a host's key")
def none_is_stale(library: Library, base: Repository, site: Site) -> None:
    paths = (site.certificate.certificate_path, site.certificate.key_path)
    evidence = frozenset(filter(None, (site.evidence.document, site.evidence.status)))
    documents = (*library.documents.values(), *whereabouts.led_to(library, base, evidence))
    stale.check_none(documents, site.documents.stale, paths)


@then("each relative link in them leads to a file of base, and each anchor to a heading")
def links_lead_somewhere(library: Library, base: Repository) -> None:
    whereabouts.check_links(library, base)


@then("each file and each secret that they name is in git")
def named_is_in_git(named: Named, world: World) -> None:
    whereabouts.check_in_git(named, world)


@then("each host name under the domain that they name is one that the site declares")
def hosts_are_declared(named: Named, world: World) -> None:
    whereabouts.check_hosts(named, world)


@then("each path, unit and swarm service that the documents name is on the machine")
def named_is_on_the_machine(named: Named, throwaway: Throwaway) -> None:
    whereabouts.check_on_machine(named, throwaway.machine)


@then("each flake attribute that they name is one of base's")
def attributes_are_there(named: Named, throwaway: Throwaway, base: Repository) -> None:
    whereabouts.check_attributes(named, throwaway.machine, base)


@then("the guide's preconditions are DNS, gateway and the age key")
def preconditions_are_three(library: Library, site: Site) -> None:
    preconditions.check_exact(library.part("guide"), site.documents.preconditions)


@then("the guide asks for nothing beside them")
def nothing_beside(library: Library, site: Site) -> None:
    preconditions.check_nothing_beside(library.part("guide"), site.documents.preconditions)


@when("the guide is followed on fresh machines, each time without one of its commands")
def commands_are_left_out(ablation: Ablation, guide: Guide) -> None:
    ablation.leave_out_each(guide)


@then("each of its commands was left out once")
def each_was_left_out(ablation: Ablation, guide: Guide) -> None:
    ablation.check_classified(guide)


@then("without it the machine did not become cc-ci")
def each_is_needed(ablation: Ablation) -> None:
    ablation.check_needed()


@then("the decisions answer each open question with one of its possible answers")
def questions_are_answered(library: Library) -> None:
    decisions.check_answered(library.part("decisions"))


@then("each answer is what the site file, the guide and the repositories show")
def answers_agree(library: Library, site: Site, guide: Guide) -> None:
    decisions.check_agree(library.part("decisions"), site, guide)
