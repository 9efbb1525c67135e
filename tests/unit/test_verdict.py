"""The verdict: a table of ledgers, and every place at which one can be cut short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cleanroom.ledger import Event
from cleanroom.verdict import judge, scenario_outcomes

NEW = "c4_cleanroom.feature: The machine is new"
BLANK = "c4_cleanroom.feature: The machine is blank"
TWICE = "c4_cleanroom.feature: Two strangers agree"
PHASES = ("setup", "call", "teardown")

SETTINGS: dict[str, Any] = {
    "base": {"revision": "b" * 40},
    "secrets": {"revision": "HEAD"},
    "incus": {"image_fingerprint": "1" * 64},
    "bootstrap": {"machine_path": "/key.txt"},
}

Edit = Callable[[list[Event]], list[Event]]


def event(kind: str, **fields: Any) -> Event:
    return {"kind": kind, **fields}


def scenario(name: str, *steps: str, **changed: str) -> list[Event]:
    """A scenario's events; `changed` gives another outcome to a phase, with `trouble` where it failed."""
    trouble = {"trouble": changed.pop("trouble")} if "trouble" in changed else {}
    told: list[Event] = []
    for phase in PHASES:
        if phase == "call":
            for step in steps:
                told += [event("step-began", scenario=name, step=step), event("step-passed", scenario=name, step=step)]
        outcome = changed.get(phase, "passed")
        told.append(event("scenario-phase", scenario=name, phase=phase, outcome=outcome, seconds=0.1, **(trouble if outcome == "failed" else {})))
    return told


def green(
    *, kind: str = "real", role: str = "adversary", keep: str = "never", reuse: bool | None = False, machine: str = "virtual-machine"
) -> list[Event]:
    """The ledger of a run in which everything went well."""
    planned = [{"identity": name, "line": 1, "on_request": name == TWICE} for name in (NEW, BLANK, TWICE)]
    return [
        event("run-began", run="r", role=role, keep=keep, reuse=reuse),
        event("signing", keyid="k"),
        event("suite", commit="c" * 40, dirty=False),
        event("host", arguments=["features", "-k", "builder"]),
        event("inventory", scenarios=planned),
        event("selected", scenarios=[{"identity": NEW}, {"identity": BLANK}]),
        event("site", site_kind=kind, settings=SETTINGS | {"kind": kind}),
        event("revision", repository="base", commit="b" * 40),
        event("revision", repository="secrets", commit="5" * 40),
        event("bootstrap-key", sha256="e" * 64),
        event("server", drivers=["lxc", "qemu"]),
        event("before", declared_image="1" * 64),
        event("hypervisor", action="create", instance="throwaway"),
        event("lifecycle", action="instance-created", context={"type": machine}),
        event("machine", name="throwaway", type=machine, image="1" * 64),
        event("delivered", path="/key.txt", sha256="e" * 64),
        event("toplevel", path="/nix/store/x"),
        *scenario(NEW, "Given a throwaway", "Then it is new"),
        *scenario(BLANK, "Given a throwaway", "Then it is blank"),
        event("machine-gone", name="throwaway"),
        event("run-ended", run="r", exit_status=0),
    ]


def replacing(name: str, events: list[Event]) -> Edit:
    """Give scenario `name` other events."""

    def edit(whole: list[Event]) -> list[Event]:
        at = next(number for number, event in enumerate(whole) if event.get("scenario") == name)
        rest = [event for event in whole if event.get("scenario") != name]
        return [*rest[:at], *events, *rest[at:]]

    return edit


def without(**fields: Any) -> Edit:
    return lambda whole: [event for event in whole if not fields.items() <= event.items()]


def changing(kind: str, **fields: Any) -> Edit:
    """Give other values to fields of every event of one kind."""
    return lambda whole: [{**event, **fields} if event["kind"] == kind else event for event in whole]


def with_event(event: Event) -> Edit:
    return lambda whole: [*whole[:-1], event, whole[-1]]


def selecting(*names: str) -> Edit:
    return lambda whole: [
        event if event["kind"] != "selected" else {**event, "scenarios": [{"identity": name} for name in names]}
        for event in whole
        if "scenario" not in event or event["scenario"] in names
    ]


def test_a_green_run_passes() -> None:
    judged = judge(green())
    assert (judged.word, judged.evidence_class, judged.reasons, judged.blocked) == ("PASSED", "ACCEPTANCE", (), False)


CASES: list[tuple[str, Edit, str, str]] = [
    ("the site failed", replacing(NEW, scenario(NEW, call="failed", trouble="check")), "FAILED", f"failed: {NEW}"),
    ("the site failed in teardown", replacing(NEW, scenario(NEW, teardown="failed", trouble="check")), "FAILED", f"failed: {NEW}"),
    ("we failed", replacing(NEW, scenario(NEW, call="failed", trouble="harness")), "INCOMPLETE", f"error: {NEW}"),
    ("we crashed", replacing(NEW, scenario(NEW, setup="failed", trouble="crash")), "INCOMPLETE", f"error: {NEW}"),
    ("we failed in teardown", replacing(NEW, scenario(NEW, teardown="failed", trouble="crash")), "INCOMPLETE", f"error: {NEW}"),
    ("it failed, nobody knows why", replacing(NEW, scenario(NEW, call="failed")), "INCOMPLETE", f"error: {NEW}"),
    ("interrupted", replacing(NEW, scenario(NEW, call="failed", trouble="interrupt")), "INCOMPLETE", f"error: {NEW}"),
    ("skipped", replacing(NEW, scenario(NEW, call="skipped")), "INCOMPLETE", f"skipped: {NEW}"),
    ("skipped in setup", replacing(NEW, scenario(NEW, setup="skipped")[:1]), "INCOMPLETE", f"skipped: {NEW}"),
    ("expected to fail", replacing(NEW, scenario(NEW, call="skipped")), "INCOMPLETE", f"skipped: {NEW}"),
    ("an outcome nobody knows", replacing(NEW, scenario(NEW, call="rerun")), "INCOMPLETE", f"unfinished: {NEW}"),
    ("no teardown", without(scenario=NEW, phase="teardown"), "INCOMPLETE", f"unfinished: {NEW}"),
    ("no phase at all", without(scenario=NEW), "INCOMPLETE", f"unfinished: {NEW}"),
    ("passed once, failed once", with_event(scenario(NEW, call="failed", trouble="check")[-2]), "FAILED", f"failed: {NEW}"),
    ("nothing selected", selecting(), "INCOMPLETE", "no scenario ran"),
    ("one not selected", selecting(NEW), "INCOMPLETE", "not asked for: 1 of 3 scenarios"),
    ("no inventory", without(kind="inventory"), "INCOMPLETE", "nobody knows which scenarios there are"),
    ("something left", with_event(event("left-behind", items=["volume pool/custom/v"])), "INCOMPLETE", "left behind: volume pool/custom/v"),
    ("machine not gone", without(kind="machine-gone"), "INCOMPLETE", "the throwaway throwaway was not seen to be gone"),
    (
        "machine kept",
        lambda e: with_event(event("machine-kept", name="throwaway"))(without(kind="machine-gone")(e)),
        "INCOMPLETE",
        "not seen to be gone",
    ),
    (
        "one of two machines not gone",
        with_event(event("hypervisor", action="create", instance="throwaway-2")),
        "INCOMPLETE",
        "the throwaway throwaway-2 was not seen to be gone",
    ),
    ("made anew after it was gone", with_event(event("hypervisor", action="create", instance="throwaway")), "INCOMPLETE", "not seen to be gone"),
    ("something was left", with_event(event("left-behind", items=["volume x", "lease y"])), "INCOMPLETE", "left behind: volume x, lease y"),
    ("expected to fail, and passed", changing("scenario-phase", expected_to_fail=True), "INCOMPLETE", f"skipped: {NEW}"),
    ("ran twice", with_event(scenario(NEW)[1]), "INCOMPLETE", f"unfinished: {NEW}"),
    ("without a step", replacing(NEW, scenario(NEW)), "INCOMPLETE", f"not every step was seen to pass: {NEW}"),
    ("a step began and never passed", with_event(event("step-began", scenario=NEW, step="x")), "INCOMPLETE", "not every step was seen to pass"),
    ("in no feature file", lambda e: [*e[:-1], *scenario("x.feature: New", "Then it is"), e[-1]], "INCOMPLETE", "in no feature file: x.feature: New"),
    ("a list without a scenario", changing("inventory", scenarios=[]), "INCOMPLETE", f"in no feature file: {NEW}"),
    ("another image", changing("machine", image="2" * 64), "INCOMPLETE", "throwaway was not made from the declared image"),
    ("another image than pinned", changing("before", declared_image="2" * 64), "INCOMPLETE", "the image is not the declared one"),
    ("another revision", changing("revision", commit="d" * 40), "INCOMPLETE", "the revision of base is not the declared one"),
    ("another key", changing("delivered", sha256="d" * 64), "INCOMPLETE", "the key that was delivered is not the bootstrap key"),
    ("no revision", without(kind="revision", repository="secrets"), "INCOMPLETE", "not recorded: revision of secrets"),
    ("no system", without(kind="toplevel"), "INCOMPLETE", "not recorded: toplevel"),
    ("no machine", without(kind="machine"), "INCOMPLETE", "not recorded: machine"),
    ("no key", lambda e: without(kind="delivered")(without(kind="bootstrap-key")(e)), "INCOMPLETE", "not recorded: bootstrap-key"),
    ("no site", without(kind="site"), "INCOMPLETE", "not recorded: site"),
    ("pytest was interrupted", changing("run-ended", exit_status=2), "INCOMPLETE", "pytest ended with 2"),
    ("pytest counted a failure", changing("run-ended", exit_status=1), "INCOMPLETE", "pytest ended with 1, and no scenario says why"),
    ("no beginning", without(kind="run-began"), "INCOMPLETE", "the ledger does not begin with the run's beginning"),
    ("something before the beginning", lambda e: [e[1], e[0], *e[2:]], "INCOMPLETE", "the ledger does not begin with the run's beginning"),
    *(
        (
            f"{kind} told twice",
            lambda e, kind=kind: [*e[:-1], *(each for each in e if each["kind"] == kind), e[-1]],
            "INCOMPLETE",
            f"tells of {kind} more",
        )
        for kind in ("run-began", "suite", "host", "inventory", "selected", "site", "signing", "run-ended")
    ),
    ("no look before the machine was made", without(kind="before"), "INCOMPLETE", "not recorded: before"),
    ("a revision that is no commit", changing("revision", commit="main"), "INCOMPLETE", "not recorded: revision of base"),
    ("another step passed than began", changing("step-passed", step="Then it was"), "INCOMPLETE", f"not every step was seen to pass: {NEW}"),
    ("no end", without(kind="run-ended"), "INCOMPLETE", f"the last step was: {BLANK}, Then it is blank"),
]


@pytest.mark.parametrize(("edit", "word", "reason"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_not_green_is_not_passed_and_says_why(edit: Edit, word: str, reason: str) -> None:
    judged = judge(edit(green()))
    assert judged.word == word
    assert any(reason in told for told in judged.reasons), judged.reasons


def test_a_failure_outweighs_our_own_trouble() -> None:
    events = replacing(BLANK, scenario(BLANK, call="skipped"))(replacing(NEW, scenario(NEW, call="failed", trouble="check"))(green()))
    judged = judge(events)
    assert judged.word == "FAILED"
    assert f"skipped: {BLANK}" in judged.reasons


def test_narrowness_alone_does_not_block_and_everything_else_does() -> None:
    assert not judge(selecting(NEW)(green())).blocked
    assert all(judge(edit(green())).blocked for name, edit, *_ in CASES if name not in {"one not selected", "no inventory"})


def test_a_scenario_on_request_that_was_asked_for_counts() -> None:
    events = selecting(NEW, BLANK, TWICE)(green())
    assert judge(events).word == "INCOMPLETE"
    assert judge([*events[:-2], *scenario(TWICE, "Then they agree"), *events[-2:]]).word == "PASSED"


@pytest.mark.parametrize("length", range(len(green())))
def test_a_ledger_cut_short_at_any_event_is_incomplete_and_names_the_last_step(length: int) -> None:
    whole = green()
    assert whole[-1]["kind"] == "run-ended"
    cut = whole[:length]
    judged = judge(cut)
    assert judged.word == "INCOMPLETE"
    assert judged.blocked
    steps = [f"{event['scenario']}, {event['step']}" for event in cut if event["kind"].startswith("step-")]
    assert any(told.endswith(steps[-1] if steps else "no step") for told in judged.reasons), judged.reasons


@pytest.mark.parametrize(
    ("changes", "evidence_class"),
    [
        ({}, "ACCEPTANCE"),
        ({"kind": "lab"}, "LAB"),
        ({"kind": "lab", "machine": "container"}, "LAB"),
        ({"machine": "container"}, "DEV"),
        ({"role": "builder"}, "DEV"),
        ({"role": "builder", "kind": "lab"}, "DEV"),
        ({"role": "builder", "keep": "always"}, "DEV"),
        ({"keep": "on-failure"}, "DEV"),
        ({"reuse": True}, "DEV"),
        ({"reuse": True, "kind": "lab"}, "DEV"),
        ({"reuse": None}, "DEV"),
    ],
)
def test_the_class_is_what_the_run_earned(changes: dict[str, Any], evidence_class: str) -> None:
    assert judge(green(**changes)).evidence_class == evidence_class


def test_a_scenario_of_which_nobody_says_whether_it_is_on_request_is_asked_for_by_all() -> None:
    planned = [{"identity": name, "line": 1, "on_request": "yes"} for name in (NEW, BLANK, TWICE)]
    assert judge(changing("inventory", scenarios=planned)(green())).reasons == (f"not asked for: 1 of 3 scenarios, {TWICE} among them",)


@pytest.mark.parametrize("missing", ["run-began", "site", "machine", "signing"])
def test_nothing_becomes_acceptance_without_all_that_it_rests_on(missing: str) -> None:
    assert judge(without(kind=missing)(green())).evidence_class != "ACCEPTANCE"


INCOMPLETE = [case for case in CASES if case[2] == "INCOMPLETE"]


@pytest.mark.parametrize("edit", [case[1] for case in INCOMPLETE], ids=[case[0] for case in INCOMPLETE])
def test_a_run_that_is_not_complete_is_no_acceptance(edit: Edit) -> None:
    assert judge(edit(green())).evidence_class != "ACCEPTANCE"


@pytest.mark.parametrize(
    "edit",
    [
        changing("suite", dirty=True),
        changing("suite", commit=None),
        changing("suite", commit=""),
        changing("server", drivers=["lxc"]),
        changing("lifecycle", context={"type": "container"}),
        changing("lifecycle", context={"type": "something new"}),
        changing("host", arguments=["features", "--role", "builder"]),
        changing("toplevel", recalled_from="an earlier run"),
    ],
    ids=[
        "changed suite",
        "suite without a commit",
        "suite with an empty commit",
        "a server without qemu",
        "told to be a container",
        "told to be what nobody knows",
        "a builder",
        "a machine of an earlier run",
    ],
)
def test_a_contradiction_is_no_acceptance(edit: Edit) -> None:
    judged = judge(edit(green()))
    assert (judged.word, judged.evidence_class) == ("PASSED", "DEV")


def test_a_lab_that_calls_itself_real_is_a_lab() -> None:
    assert judge(changing("site", site_kind="real")(green(kind="lab"))).evidence_class == "LAB"


def test_one_container_among_the_machines_is_enough_to_lose_acceptance() -> None:
    assert judge(with_event(event("machine", name="throwaway-2", type="container", image="1" * 64))(green())).evidence_class == "DEV"


def test_outcomes_stand_in_the_order_of_selection_with_their_time_and_trouble() -> None:
    events = replacing(NEW, scenario(NEW, call="failed", trouble="check"))(green())
    outcomes = list(scenario_outcomes(events))
    assert [(outcome.scenario, outcome.state, outcome.seconds) for outcome in outcomes] == [(NEW, "failed", 0.3), (BLANK, "passed", 0.3)]
    assert outcomes[0].trouble is not None
    assert outcomes[1].trouble is None
