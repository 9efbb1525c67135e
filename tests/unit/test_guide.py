"""Guides: Markdown in, numbered commands with file and line out."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.errors import BadInput
from cleanroom.guide import Command, Guide, parse

FILE = "docs/install.md"


def read(markdown: str) -> Guide:
    return parse(dedent(markdown).lstrip("\n"), file=FILE, within=60)


def texts(markdown: str) -> list[tuple[int, str]]:
    """Line and text of every command."""
    return [(command.line, command.text) for command in read(markdown).commands]


def refusal(markdown: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read(markdown)
    return caught.value


def test_a_guide_is_numbered_commands_with_file_and_line() -> None:
    guide = read("""
        # Install

        First look around:

        ```sh
        ls /
        uname -a
        ```

        Then rebuild.

        ```bash operator within=10m status=3
        rebuild
        ```
    """)
    assert guide.commands == (
        Command(1, FILE, 6, "machine", "ls /", 60, 0),
        Command(2, FILE, 7, "machine", "uname -a", 60, 0),
        Command(3, FILE, 13, "operator", "rebuild", 600, 3),
    )
    assert guide.commands[2].where == "docs/install.md:13"
    assert str(guide.commands[2]) == "command 3 (docs/install.md:13): rebuild"


@pytest.mark.parametrize("language", ["sh", "bash", "shell", "Bash", "SH"])
def test_shell_fences_run(language: str) -> None:
    assert texts(f"```{language}\nls\n```") == [(2, "ls")]


@pytest.mark.parametrize("language", ["", "nix", "text", "toml", "shellcheck", "zsh", "fish", "sh-session"])
def test_other_fences_are_only_shown(language: str) -> None:
    assert texts(f"```{language}\nrm -rf /\n```\n\n```sh\nls\n```") == [(6, "ls")]


@pytest.mark.parametrize(
    "shown",
    ["    rm -rf /\n", "<!--\n```sh\nrm -rf /\n```\n-->\n", "`rm -rf /`\n", "```sh example\nrm -rf / (\n```\n"],
    ids=["indented", "in a comment", "inline", "example"],
)
def test_what_is_only_shown_does_not_run(shown: str) -> None:
    assert [text for _, text in texts(f"{shown}\n```sh\nls\n```\n")] == ["ls"]


def test_fences_in_lists_quotes_and_of_tildes_run_with_their_true_lines() -> None:
    assert texts("""
        1. First

           ```sh
           ls
             pwd
           ```

        2. Second
           - deeper

             ~~~~sh
             id
             ~~~~

        > ```sh
        > date
        > ```
    """) == [(4, "ls"), (5, "  pwd"), (12, "id"), (16, "date")]


def test_a_fence_that_is_never_closed_runs_to_its_end() -> None:
    assert texts("```sh\nls\npwd\n") == [(2, "ls"), (3, "pwd")]


def test_comments_and_blank_lines_between_commands_are_none() -> None:
    assert texts("```sh\n# first\n\nls # here\n   # indented\npwd\n```") == [(4, "ls # here"), (6, "pwd")]


MANY_LINES = {
    "heredoc": "cat > /etc/x <<'EOF'\n# no comment\n\n$HOME\nEOF",
    "two heredocs": "cat <<A <<-B\none\nA\n\ttwo\n\tB",
    "continuation": "nixos-rebuild switch \\\n  --flake . \\\n  --show-trace",
    "three backslashes": "echo a\\\\\\\necho b",
    "quotes": "echo 'one\ntwo'\"\nthree\"",
    "loop": "for n in 1 2; do\n\n  echo $n\ndone",
    "if": "if true; then\n  ls\nelse\n  pwd\nfi",
    "case": "case x in\n  x) ls ;;\nesac",
    "function": "greet()\n{\n  echo hello\n}",
    "group": "{ ls\n}",
    "and": "ls &&\n  pwd",
    "pipe": "ls |\n\n  wc -l",
    "substitution": "echo $(\n  ls\n)",
    "arithmetic": "echo $((1 +\n 2))",
}


@pytest.mark.parametrize("command", MANY_LINES.values(), ids=MANY_LINES)
def test_a_command_takes_as_many_lines_as_bash_needs(command: str) -> None:
    count = command.count("\n")
    assert texts(f"```sh\n{command}\nafterwards\n```") == [(2, command), (count + 3, "afterwards")]


@pytest.mark.parametrize("command", ["echo a\\\\", "echo 'a\\'", "true; ls; pwd", "ls & wait", "echo ${x:-\\}}", "[[ a == b ]]"])
def test_one_line_is_one_command(command: str) -> None:
    assert texts(f"```sh\n{command}\nafterwards\n```") == [(2, command), (3, "afterwards")]


@pytest.mark.parametrize("character", ["\x0c", "\x0b", "\x1c", "\x85", "\u2028", "\t", " "], ids=lambda character: f"U+{ord(character):04X}")
def test_only_a_newline_ends_a_line(character: str) -> None:
    command = f"cat <<'EOF'\na{character}b\nEOF"
    assert texts(f"```sh\n{command}\nafterwards\n```") == [(2, command), (5, "afterwards")]


def test_a_console_block_runs_what_follows_a_prompt() -> None:
    assert texts("""
        ```console
        $ ls /
        bin  etc
        # id -u
        0
        $ for n in 1 2; do
        > echo $n
        > done
        1
        2
        $ cat <<END
        no prompt here
        END
        no prompt here
        ```
    """) == [(2, "ls /"), (4, "id -u"), (6, "for n in 1 2; do\necho $n\ndone"), (11, "cat <<END\nno prompt here\nEND")]


@pytest.mark.parametrize("language", ["console", "shell-session"])
def test_both_console_languages_run(language: str) -> None:
    assert texts(f"```{language}\n$ ls\n```") == [(2, "ls")]


@pytest.mark.parametrize(
    ("words", "place", "within", "status"),
    [
        ("", "machine", 60, 0),
        (" machine", "machine", 60, 0),
        (" operator", "operator", 60, 0),
        (" within=90s", "machine", 90, 0),
        (" status=1", "machine", 60, 1),
        (" status=4 within=1h operator", "operator", 3600, 4),
    ],
)
def test_words_behind_the_language_say_where_how_long_and_how_it_ends(words: str, place: str, within: float, status: int) -> None:
    command = read(f"```sh{words}\nls\n```").commands[0]
    assert (command.place, command.within, command.status) == (place, within, status)


@pytest.mark.parametrize(
    "word", ["root", "within", "within=", "within=10", "within=soon", "status", "status=", "status=x", "status=²", "Operator", "{.sh}"]
)
def test_a_word_nobody_defined_is_refused_where_it_stands(word: str) -> None:
    problem = refusal(f"Text.\n\n```sh {word}\nls\n```")
    assert problem.where == f"{FILE}:3"
    assert word in problem.problem


@pytest.mark.parametrize(
    ("block", "line"),
    [
        ("ls\nif true; then\nls", 5),
        ("echo 'never closed\nls", 4),
        ("cat <<EOF\nnever ended", 4),
        ("ls \\", 4),
        ("ls\nls )", 5),
        ("ls\n\n| wc", 6),
        ("fi", 4),
    ],
    ids=["if", "quote", "heredoc", "continuation", "parenthesis", "pipe first", "fi"],
)
def test_text_that_bash_cannot_read_is_refused_where_it_begins(block: str, line: int) -> None:
    assert refusal(f"Text.\n\n```sh\n{block}\n```").where == f"{FILE}:{line}"


@pytest.mark.parametrize("command", ["ls )", "fi", "echo 'never closed", "cat <<EOF", "if true; then", "ls \\"])
def test_a_session_s_command_that_bash_cannot_read_is_refused_where_it_begins(command: str) -> None:
    assert refusal(f"```console\n$ ls\nbin\n$ {command}\n```").where == f"{FILE}:4"


@pytest.mark.parametrize("markdown", ["", "# Install\n\nJust do it.\n", "```nix\n{ }\n```\n", "```sh example\nls\n```\n"])
def test_a_guide_without_a_command_is_refused(markdown: str) -> None:
    assert refusal(markdown).where == FILE


@pytest.mark.parametrize(
    "block", ["```sh\n```", "```sh\n# nothing\n\n```", "```console\n[root@host:~]# ls\n```", "```shell-session\nroot@host $ ls\n```"]
)
def test_a_block_that_would_run_nothing_is_refused_where_it_stands(block: str) -> None:
    assert refusal(f"```sh\nls\n```\n\n{block}\n").where == f"{FILE}:5"


def test_the_last_command_with_a_text_is_found() -> None:
    guide = read("```sh\nnixos-rebuild build\nnixos-rebuild switch a\nnixos-rebuild switch b\nls\n```")
    assert guide.last_with("nixos-rebuild switch").number == 3
    with pytest.raises(BadInput, match="no command of the guide contains `reboot`"):
        guide.last_with("reboot")


def test_nothing_runs_while_a_guide_is_read(tmp_path: Path) -> None:
    read(f"```sh\ntouch {tmp_path}/ran\necho $(touch {tmp_path}/ran)\n```\n\n```console\n$ touch {tmp_path}/ran\n```")
    assert not (tmp_path / "ran").exists()


LINES = st.sampled_from(
    ["ls", "echo 'a b'", "", "# a comment", "cat <<E\n\nx\nE", "for n in 1; do\n  ls\ndone", "ls \\\n  -l", "true && false", "x=$(id)"]
)


@given(before=st.integers(0, 5), block=st.lists(LINES, min_size=1, max_size=6).filter(lambda lines: any(line and line[0] != "#" for line in lines)))
def test_every_line_of_a_block_belongs_to_the_command_that_says_so(before: int, block: list[str]) -> None:
    markdown = "text\n\n" * before + "```sh\n" + "\n".join(block) + "\n```\n"
    commands = parse(markdown, file=FILE, within=60).commands
    lines = markdown.split("\n")
    for command in commands:
        assert lines[command.line - 1 :][: command.text.count("\n") + 1] == command.text.split("\n")
    assert [command.text for command in commands] == [line for line in block if line and line[0] != "#"]
    assert [command.number for command in commands] == list(range(1, len(commands) + 1))


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="`~"), max_size=40))
def test_any_text_in_a_block_is_read_or_refused_with_a_line(text: str) -> None:
    try:
        places = [command.where for command in parse(f"```sh\n{text}\n```\n", file=FILE, within=60).commands]
    except BadInput as problem:
        places = [problem.where]
    assert places
    assert all(place.startswith(f"{FILE}:") for place in places)


@pytest.mark.parametrize(
    ("before", "after", "seen"),
    [
        ("<template>", "</template>", False),
        ("<div hidden>", "</div>", False),
        ('<div class="x" hidden="">', "</div>", False),
        ('<section style="color: red; display : none">', "</section>", False),
        ("<div hidden><div></div><br>", "</div>", False),
        ("Some text <template> and more", "</template>", False),
        ("<details><summary>How</summary>", "</details>", True),
        ("<div hidden></div>", "", True),
        ("<div hidden>\n\n</div>", "", True),
        ("<!-- <template> -->", "", True),
        ('<div title="hidden">', "</div>", True),
        ("`<template>`", "", True),
    ],
)
def test_a_block_that_a_reader_does_not_see_is_refused(before: str, after: str, seen: bool) -> None:  # noqa: FBT001 - a table
    text = f"{before}\n\n```sh\nls\n```\n\n{after}\n\n```sh example\nls\n```\n"
    if seen:
        assert len(parse(text, file="docs/install.md", within=60).commands) == 1
    else:
        with pytest.raises(BadInput, match="whoever reads the page does not see it"):
            parse(text, file="docs/install.md", within=60)
