"""What may be said of a run: one sentence, the entry for the site's REVIEW.md, the block for its STATUS.md.

Knows: verdict, class and facts; docs/evidence.md has the entry's form, and `read` gives back what an entry says.
Refuses: to say more than the verdict does. A LAB or DEV run names its class in every sentence that claims; what no event tells is `unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cleanroom import verdict
from cleanroom.claim.recorded import but_for_own
from cleanroom.facts import STATIC, Facts, chapters, facts, not_run
from cleanroom.ledger import Event
from cleanroom.shown import one_line, shown

#: The customer's chapters; DONE needs a scenario of each.
CHAPTERS = ("C1", "C2", "C3", "C4", "C5", "C6", "C7")
UNKNOWN = "unknown"
_LONGEST_COMMAND = 20_000
_ENTRY = "## Clean-room run "


@dataclass(frozen=True)
class Entry:
    """What an entry of REVIEW.md says: the facts by their labels, and the guide's commands by where they stand."""

    facts: dict[str, str]
    commands: tuple[tuple[str, str], ...]


def sentence(events: Sequence[Event]) -> str:
    """The run in one sentence or two, no stronger than its verdict and its class."""
    judged, told = verdict.judge(events), facts(events)
    outcomes = list(verdict.scenario_outcomes(events))
    failed = sum(outcome.state == "failed" for outcome in outcomes)
    scope = f"{_count(len(outcomes), 'scenario')}{_of_chapters(events)}"
    where = "the embedded lab" if told.site_kind == "lab" else told.site or "a site that nobody named"
    green = f"on {where}, {scope} ran and passed"
    match judged.word:
        case "PASSED" if judged.evidence_class == "ACCEPTANCE":
            return _marked(judged, f"{green}: cold, in the adversary's role, on a virtual machine that did not exist before.")
        case "PASSED" if judged.evidence_class == "LAB":
            return _marked(judged, f"{green}: cold, in the adversary's role. LAB says nothing of a real site.")
        case "PASSED":
            return _marked(judged, f"{green}, and that is no evidence, because {_why_dev(told)}.")
        case "FAILED" | "INCOMPLETE" if _holds_but_for_c5(events):
            how = ": cold, in the adversary's role" if told.cold else ""
            most = f"every scenario but those of C5, which judge evidence like this, ran and passed{how}"
            return _marked(judged, f"on {where}, {most}. As long as C5 does not hold, the run is {judged.word}.")
        case "FAILED":
            return _marked(judged, f"on {where}, {failed} of {scope} failed. The site is not what it must be.")
        case _:
            return _marked(judged, f"nothing is decided about {where}. This run speaks neither for the site nor against it.")


def limits(events: Sequence[Event]) -> list[str]:
    """What the run does not prove, in plain lines, the widest first."""
    told = facts(events)
    lines = [
        "Incus tells nobody of SFTP sessions (incus file push): what one of those changed is seen only where a scenario looks.",
        "Whoever controls the hypervisor can deceive this run about everything that happens above it.",
    ]
    lines += [
        f"What our credential does not show is in no sum of memory: {one_line(event['hidden'])}."
        for event in events
        if event["kind"] == "memory-began" and event.get("hidden")
    ]
    if not told.keyid:
        lines.insert(0, "Nobody signed this run: whoever holds its folder could have rewritten all of it.")
    if told.suite.get("dirty") or not told.suite.get("commit"):
        lines.insert(0, "The suite that ran is in no commit: whoever repeats the run at a commit runs something else.")
    if told.site_kind == "lab":
        lines.insert(0, "The site was the embedded lab: Debian with Nix that keeps NixOS' contract, not NixOS, and not the customer's cc-ci.")
    if any(machine.get("type") != "virtual-machine" for machine in told.machines):
        lines.insert(0, "The throwaway was a system container: it shares its host's kernel, and is no proof for a virtual machine.")
    if not told.machines:
        lines.insert(0, "No machine was made: nothing here tells whether one can be rebuilt.")
    if missing := _missing_chapters(events):
        lines.insert(0, f"No scenario of {_list(missing)} ran: nothing here says anything of {'them' if len(missing) > 1 else 'it'}.")
    if unasked := not_run(events):
        lines.insert(0, f"{_count(len(unasked), 'scenario')} of the feature files did not run; the report names each.")
    return lines


def lacking(events: Sequence[Event]) -> list[str]:
    """What keeps C1 to C7 from holding, cold, in the adversary's role; empty when nothing does."""
    judged, told = verdict.judge(events), facts(events)
    reasons = list(judged.reasons)
    if judged.word == "PASSED" and not told.cold:
        reasons.append("the run was not cold in the adversary's role")
    if judged.evidence_class == "DEV":
        reasons.append(f"its class is DEV, because {_why_dev(told)}")
    reasons.extend(f"{chapter} has no scenario that ran" for chapter in _missing_chapters(events))
    return reasons


def review(events: Sequence[Event]) -> str:
    """The entry for the site's REVIEW.md."""
    judged, told = verdict.judge(events), facts(events)
    rows = "\n".join(f"| {label} | {_cell(value)} |" for label, value in _rows(judged, told))
    return "\n".join(
        (
            f"{_ENTRY}{one_line(told.run) or UNKNOWN}: {judged.word}, class {judged.evidence_class}",
            f"\n{_prose(sentence(events))}",
            f"\n### Facts\n\n| fact | value |\n|---|---|\n{rows}",
            f"\n### Byte-identical closure (static)\n\n{_prose(_static(events, judged, told))}",
            f"\n### Clean-room rebuild (live)\n\n{_prose(_live(events, judged, told))}",
            *_commands(told),
            "\n### What this does not prove\n",
            *(f"- {_prose(line)}" for line in (*(f"It did not pass: {reason}." for reason in judged.reasons), *limits(events))),
            f"\n### How to verify it\n\n```sh\n{verify_command(events)}\n```\n",
        )
    )


def status(events: Sequence[Event]) -> str:
    """The block for the site's STATUS.md: DONE when C1 to C7 hold, cold, in the adversary's role; otherwise what is missing."""
    judged, told = verdict.judge(events), facts(events)
    missing = lacking(events)
    run = f"Run {told.run or UNKNOWN}, ended {told.ended or UNKNOWN}: {judged.word}, class {judged.evidence_class}."
    if not missing and judged.evidence_class == "ACCEPTANCE":
        return f"## DONE\n\nC1 to C7 hold, cold, in the adversary's role. {run}\n\n{_prose(sentence(events))}\n"
    if not missing and judged.evidence_class == "LAB":
        return f"## DONE (LAB)\n\nLAB: C1 to C7 hold on the embedded lab, cold, in the adversary's role. {run}\n\n{_prose(sentence(events))}\n"
    listed = "\n".join(f"- {_prose(reason)}" for reason in missing)
    return f"## Not done\n\n{run}\n\n{_prose(sentence(events))}\n\nWhat is missing:\n\n{listed}\n"


def verify_command(events: Sequence[Event]) -> str:
    """The command with which a stranger judges the run's folder."""
    judged, told = verdict.judge(events), facts(events)
    folder = f"reports/{told.run or 'RUN'}"
    if judged.evidence_class == "ACCEPTANCE":
        return f"cleanroom verify {folder} --require acceptance --key SIGNER.pub --max-age 24h --repo ."
    return f"cleanroom verify {folder} --require {judged.evidence_class.lower()}"


def read(text: str) -> Entry:
    """What an entry says; of several in `text`, the last. A text without an entry in the form of docs/evidence.md yields nothing."""
    rows: dict[str, str] = {}
    commands: list[tuple[str, str]] = []
    fence, where, command = "", "", list[str]()
    for line in text.split("\n"):
        if fence:
            if line != fence:
                command.append(line)
                continue
            if where:
                commands.append((where, "\n".join(command)))
            fence, where, command = "", "", []
        elif opened := re.fullmatch(r"(`{3,})\w*", line):
            fence = opened[1]
        elif line.startswith(_ENTRY):
            rows, commands = {}, []
        elif named := re.match(r"\d+\. `([^`]+)` on ", line):
            where = named[1]
        elif row := re.fullmatch(r"\| (.+?) \| (.+) \|", line):
            rows[row[1]] = _uncode(row[2])
    rows.pop("fact", None)
    return Entry(rows, tuple(commands))


def _rows(judged: verdict.Judged, told: Facts) -> Iterator[tuple[str, str]]:
    yield "Run", told.run
    yield "Verdict", judged.word
    yield "Class", judged.evidence_class
    yield "Role", told.role
    yield "Cold", "yes" if told.cold else "no"
    yield "Began", told.began
    yield "Ended", told.ended
    yield "Site", told.site
    for repository in ("base", "secrets"):
        yield f"{repository.capitalize()} revision", told.revisions.get(repository, ("", ""))[1]
    yield "Toplevel", told.toplevel
    yield "NAR hash", told.nar_hash
    yield "Machine UUID", str(told.machine.get("uuid", ""))
    yield "Machine type", str(told.machine.get("type", ""))
    yield "Image", str(told.machine.get("image", ""))
    yield "Certificate fingerprint", told.certificate
    yield "Guide commands", str(len(told.guide))
    yield "Signed by", told.keyid or "nobody"


def _static(events: Sequence[Event], judged: verdict.Judged, told: Facts) -> str:
    """What the comparison with the canonical host says: only its own outcome, and only under the run's own class."""
    state = next((outcome.state for outcome in verdict.scenario_outcomes(events) if outcome.scenario == STATIC), "not run")
    if state == "passed" and _holds_but_for_c5(events):
        of = "the canonical host ran the system that the flake builds, path and NAR hash of the whole closure"
        return _marked(judged, f"{of}: {told.toplevel or UNKNOWN}, {told.nar_hash or UNKNOWN}.{_but_c5(judged)}")
    return _marked(judged, f"nothing is claimed; the comparison with the canonical host: {state}; the run: {judged.word}.")


def _live(events: Sequence[Event], judged: verdict.Judged, told: Facts) -> str:
    rebuilt = [outcome for outcome in verdict.scenario_outcomes(events) if outcome.scenario.startswith("c4_")]
    kind = {"virtual-machine": "a virtual machine", "container": "a system container"}.get(str(told.machine.get("type")), "a machine")
    if _holds_but_for_c5(events) and rebuilt and told.machines:
        given = "was given one key, was taken through the guide below, command by command, and then held each scenario of C4"
        return _marked(judged, f"{kind} that did not exist before {given}.{_but_c5(judged)}")
    return _marked(judged, f"nothing is claimed; the run: {judged.word}, with {_count(len(rebuilt), 'scenario')} of C4.")


def _holds_but_for_c5(events: Sequence[Event]) -> bool:
    """Whether everything passed that a claim rests on. C5 judges claims, so that the run that a claim is made from can have passed all but C5."""
    return verdict.judge(but_for_own(events)).word == "PASSED"


def _but_c5(judged: verdict.Judged) -> str:
    return "" if judged.word == "PASSED" else f" C5 does not hold yet: the run is {judged.word}."


def _commands(told: Facts) -> Iterator[str]:
    for number, command in enumerate(told.guide, start=1):
        text = shown(command.text, _LONGEST_COMMAND)
        fence = "`" * max(3, _longest_ticks(text) + 1)
        ended = f"exit status {command.fate}" if command.fate else "did not end"
        place = "the operator's side" if command.place == "operator" else "the machine"
        yield f"\n{number}. `{one_line(command.where).replace('`', '')}` on {place}: {ended}\n\n{fence}sh\n{text}\n{fence}"


def _marked(judged: verdict.Judged, text: str) -> str:
    """A sentence behind its class; only ACCEPTANCE needs to name none."""
    return text[:1].upper() + text[1:] if judged.evidence_class == "ACCEPTANCE" else f"{judged.evidence_class}: {text}"


def _why_dev(told: Facts) -> str:
    """Why a run that passed is only DEV."""
    if not told.site_kind:
        return "the ledger names no site"
    if not told.cold:
        return "it was not a cold run in the adversary's role"
    if not told.machines or any(machine.get("type") != "virtual-machine" for machine in told.machines):
        return "the rebuild was not on a virtual machine"
    return "nobody signed it" if not told.keyid else "it is not complete"


def _missing_chapters(events: Sequence[Event]) -> list[str]:
    ran = {outcome.scenario.split("_", 1)[0].upper() for outcome in verdict.scenario_outcomes(events)}
    return [chapter for chapter in CHAPTERS if chapter not in ran]


def _of_chapters(events: Sequence[Event]) -> str:
    ran = {outcome.scenario.split(": ", 1)[0] for outcome in verdict.scenario_outcomes(events)}
    names = [file.split("_", 1)[0].removesuffix(".feature") for file in chapters(events) if file in ran]
    return f" of {_list([name.upper() if re.fullmatch(r'c[0-9]', name) else f'the {name}' for name in names])}" if names else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _prose(text: str) -> str:
    """Text as a paragraph of Markdown that starts no heading, list, link, tag or table."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", one_line(text))


def _cell(value: str) -> str:
    text = one_line(value).replace("|", "\\|")
    if not text:
        return UNKNOWN
    fence = "`" * (_longest_ticks(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _uncode(cell: str) -> str:
    """The value of a cell: what stands in its code span, without the blanks that keep its own ticks from the fence."""
    match = re.fullmatch(r"(`+)( ?)(.*)\2\1", cell)
    if match is None:
        return cell
    text = match[3] if match[3].startswith("`") or match[3].endswith("`") else f"{match[2]}{match[3]}{match[2]}"
    return text.replace("\\|", "|")


def _longest_ticks(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
