"""The table about evidence: whose key signs a run of this site.

Knows: what a site says of its evidence.
Refuses: a key in place of its path.
"""

from __future__ import annotations

from cleanroom.tables.base import Local, Table


class Evidence(Table):
    """What signs this site's runs, unless --signing-key or CLEANROOM_SIGNING_KEY names another key."""

    signing_key: Local | None = None
