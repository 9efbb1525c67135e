"""What the tables of a site file are made of: how sizes, durations, names, paths and the sources of secrets are written.

Knows: TOML's lists, paths that stand relative to the site file, and how a secret is named without being told.
Refuses: unknown keys, empty texts, and to hold a secret's value.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from cleanroom import quantities
from cleanroom.errors import BadInput
from cleanroom.redact import Secret

Size = Annotated[int, BeforeValidator(quantities.size)]
Duration = Annotated[float, BeforeValidator(quantities.duration)]
#: TOML has lists only; strict models want the tuple that they declare.
Listed = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
Names = Annotated[tuple[str, ...], Listed]


def _local(value: object) -> object:
    return Path(value).expanduser() if isinstance(value, str) and value else value


#: A path on the machine that runs the suite; relative ones are taken from the site file's folder.
Local = Annotated[Path, BeforeValidator(_local)]


class Table(BaseModel):
    """What every table keeps to: strict values, no unknown key, nothing changed after it was read."""

    # An empty text would pass by being empty: every body holds the marker "".
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, str_min_length=1)


class SecretSource(Table):
    """Where a secret can be read when it is needed: a file or an environment variable, never the value itself."""

    file: Local | None = None
    env: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> SecretSource:
        if (self.file is None) == (self.env is None):
            raise ValueError("expected exactly one of file and env")
        return self

    def load(self, name: str) -> Secret:
        """The secret, surrounding white space removed; raises `BadInput` if it is not there or empty."""
        if self.env is not None:
            value, where = os.environ.get(self.env, "").encode(), f"environment variable {self.env}"
        else:
            where = str(self.file)
            try:
                value = Path(where).read_bytes()
            except OSError as problem:
                raise BadInput(f"cannot read the {name}: {problem.strerror}", where=where) from None
        if not value.strip():
            raise BadInput(f"the {name} is empty", where=where)
        return Secret(value.strip(), name=name)
