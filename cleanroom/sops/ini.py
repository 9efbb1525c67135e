r"""INI as sops reads and writes it.

Knows: the dialect of gopkg.in/ini.v1 - sections, `=` or `:`, four kinds of quotes, continued lines, comments that precede what they describe.
Refuses: two sections or two keys of one name, and values that are no text.

Specification: `stores/ini/store.go` of getsops/sops 3.13.2, `parser.go` of ini.v1 1.67.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cleanroom.sops import flat as sops_flat
from cleanroom.sops.errors import Malformed, Truncated, Unsupported
from cleanroom.sops.metadata import Loaded, Metadata
from cleanroom.sops.tree import Branch, Comment

METADATA = "sops"
_DEFAULT = "DEFAULT"
#: Go's unicode.IsSpace; Python's own strip() takes more.
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"


def load(data: bytes, *, where: str) -> Loaded:
    """A sops file; raises `Malformed` or `Truncated`."""
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise Malformed("the file is not UTF-8 text", where=where) from None
    document = _Reader(text, where=where).document()
    sections = [value for key, value in document if key == METADATA]
    rest = Branch((key, value) for key, value in document if key != METADATA)
    if not sections:
        return Loaded([rest], None)
    # Since 3.13.2 line breaks are escaped twice, before that once: undoing it here does no harm to either.
    pairs = [(key, value.replace("\\n", "\n")) for key, value in sections[0] if not isinstance(key, Comment)]
    return Loaded([rest], sops_flat.unflatten(pairs, where=where))


class _Reader:
    def __init__(self, text: str, *, where: str) -> None:
        self._lines = iter(re.findall(r"[^\n]*\n|[^\n]+", text))
        self._where = where
        self._comment = ""
        self._count = 1
        self._number = 0

    def document(self) -> Branch:
        section = Branch()
        document = Branch([(_DEFAULT, section)])
        for raw in self._reading():
            line = raw.lstrip(_SPACE)
            if not line:
                continue
            if line[0] in "#;":
                self._comment += line
            elif line[0] == "[":
                section = self._section(line, document)
            else:
                self._pair(line, section)
        return document

    def _reading(self) -> Iterator[str]:
        for line in self._lines:
            self._number += 1
            yield line

    def _section(self, line: str, document: Branch) -> Branch:
        end = line.rfind("]")
        if end < 2:  # noqa: PLR2004 - `[` and one letter at least
            raise Malformed("a section of the file has no name or no end", where=self._at)
        name = line[1:end]
        self._comment += _comment_in(line[end + 1 :])
        section = Branch([(taken, None)] if (taken := self._taken()) else [])
        if any(key == name for key, _value in document):
            if name != _DEFAULT or document[0][1]:
                raise Malformed(f"the section {name} stands twice", where=self._at)
            document.pop(0)
        document.append((name, section))
        self._count = 1
        return section

    def _pair(self, line: str, section: Branch) -> None:
        key, rest = self._key(line)
        if key == "-":
            key, self._count = f"#{self._count}", self._count + 1
        value = self._value(rest)
        if not key or any(other == key for other, _value in section):
            raise Malformed("a key of the file has no name, or stands twice in its section", where=self._at)
        section.append((key, value))
        comment = self._taken()
        if comment:
            section.append((comment, None))

    def _key(self, line: str) -> tuple[str, str]:
        quote = '"""' if len(line) > 6 and line.startswith('"""') else line[0] if line[0] in '"`' else ""  # noqa: PLR2004 - both quotes
        end = line.find(quote, len(quote)) if quote else 0
        delimiter = re.search("[=:]", line[end + len(quote) :])
        if end < 0 or delimiter is None:
            raise Malformed("a line of the file is neither a section, a comment nor a pair", where=self._at)
        at = end + len(quote) + delimiter.start()
        return (line[len(quote) : end] if quote else line[:at]).strip(_SPACE), line[at + 1 :]

    def _value(self, rest: str) -> str:
        line = rest.lstrip(_SPACE)
        quote = '"""' if len(line) > 3 and line.startswith('"""') else "`" if line.startswith("`") else ""  # noqa: PLR2004 - a quote and more
        if quote:
            end = line.rfind(quote, len(quote))
            return line[len(quote) : end] if end >= 0 else self._over_lines(line[len(quote) :], quote)
        line = line.strip(_SPACE)
        if line.endswith("\\"):
            return self._continued(line[:-1])
        mark = re.search("[#;]", line)
        if mark is not None:
            self._comment += line[mark.start() :]
            line = line[: mark.start()].strip(_SPACE)
        if len(line) > 1 and line[0] in "'\"" and line.find(line[0], 1) == len(line) - 1:
            return line[1:-1]
        return line

    def _over_lines(self, value: str, quote: str) -> str:
        for line in self._reading():
            end = line.rfind(quote)
            if end >= 0 and not line[end + len(quote) :].strip(_SPACE).endswith("\\"):
                self._comment += _comment_in(line[end:]).strip(_SPACE)
                return value + line[:end]
            value += line
        raise Truncated("a quoted value of the file does not end", where=self._at)

    def _continued(self, value: str) -> str:
        for raw in self._reading():
            line = raw.strip(_SPACE)
            if not line:
                break
            value += line
            if not value.endswith("\\"):
                break
            value = value[:-1]
        return value

    def _taken(self) -> Comment | None:
        """The comment gathered so far, which belongs to what was just read."""
        text, self._comment = self._comment.strip(_SPACE), ""
        return Comment(text.lstrip(f"{text[0]} ")) if text else None

    @property
    def _at(self) -> str:
        return f"{self._where}:{self._number}"


def _comment_in(text: str) -> str:
    mark = re.search("[#;]", text)
    return text[mark.start() :] if mark else ""


def dump(documents: list[Branch], metadata: Metadata) -> bytes:
    """A sops file; raises `Unsupported` for what the dialect cannot carry (the reader's own check finds the rest)."""
    lines: list[str] = []
    block = Branch((key, value.replace("\n", "\\n")) for key, value in sops_flat.flatten(metadata.table()))
    for name, section in [*documents[0], (METADATA, block)]:
        if isinstance(name, Comment) or not isinstance(section, Branch):
            raise Unsupported("an INI file holds sections of keys, and comments only inside them")
        lines += _section_lines(name, section)
    return "".join(f"{line}\n" for line in lines).encode()


def _section_lines(name: str, section: Branch) -> list[str]:
    lines = [f"[{name}]"]
    for key, value in section:
        if isinstance(key, Comment):
            # What precedes a line describes it: sops keeps the comment after the pair (or at the head of the section), the file before it.
            lines.insert(-1, f"; {key.text}")
        elif isinstance(value, str):
            lines.append(f"{_key_text(key)} = {_value_text(value)}")
        else:
            raise Unsupported(f"an INI file cannot carry {name}/{key}: its values are text")
    return lines


def _key_text(key: str) -> str:
    if re.search(r'["=:]', key):
        return f"`{key}`"
    return f'"""{key}"""' if "`" in key else key


def _value_text(value: str) -> str:
    if re.search("[\n`]", value):
        return f'"""{value}"""'
    if re.search("[#;]", value):
        return f"`{value}`"
    return f'"{value}"' if value.strip(_SPACE) != value else value
