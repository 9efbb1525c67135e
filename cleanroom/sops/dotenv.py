r"""dotenv as sops reads and writes it: no trimming, no quotes, `\n` for a line break, and nothing else.

Knows: `KEY=value` lines, `#` comments, and metadata under flat keys that begin with `sops_`.
Refuses: a line without `=`, two keys of one name, and values that are no text.

Specification: `stores/dotenv/store.go` of getsops/sops 3.13.2.
"""

from __future__ import annotations

from cleanroom.sops import flat as sops_flat
from cleanroom.sops.errors import Malformed, Unsupported
from cleanroom.sops.metadata import Loaded, Metadata
from cleanroom.sops.tree import Branch, Comment

PREFIX = "sops_"


def load(data: bytes, *, where: str) -> Loaded:
    """A sops file; raises `Malformed`."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("the file is not UTF-8 text", where=where) from None
    branch = Branch()
    metadata = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith("#"):
            branch.append((Comment(line[1:]), None))
        elif line:
            key, equals, value = line.partition("=")
            if not equals:
                raise Malformed("a line of the file has no =", where=f"{where}:{number}")
            value = value.replace("\\n", "\n")
            if key.startswith(PREFIX):
                metadata.append((key.removeprefix(PREFIX), value))
            else:
                branch.append((key, value))
    return Loaded([branch], sops_flat.unflatten(metadata, where=where) if metadata else None)


def dump(documents: list[Branch], metadata: Metadata) -> bytes:
    """A sops file; raises `Unsupported` for what a line cannot carry (the reader's own check finds the rest)."""
    lines = []
    for key, value in documents[0]:
        if isinstance(key, Comment):
            lines.append(f"#{key.text}")
        elif not isinstance(value, str) or key.startswith((PREFIX, "#")):
            raise Unsupported(f"a dotenv file cannot carry {key}: its values are text, its keys begin neither with # nor with {PREFIX}")
        else:
            lines.append(f"{key}={_escaped(value)}")
    lines += [f"{PREFIX}{key}={_escaped(value)}" for key, value in sops_flat.flatten(metadata.table())]
    return "".join(f"{line}\n" for line in lines).encode()


def _escaped(value: str) -> str:
    return value.replace("\n", "\\n")
