#!/usr/bin/python3 -B
"""The dashboard: one page that tells how the other services are."""

import os
import urllib.request

from service import Handler, serve


def state(name):
    try:
        with urllib.request.urlopen(f"http://{name}:8080/healthz", timeout=2) as answer:
            return answer.read().decode().strip()
    except OSError as problem:
        return str(problem)


class Dashboard(Handler):
    def get_(self):
        rows = "".join(f"<li>{name}: {state(name)}</li>" for name in os.environ["WATCHED"].split())
        self.answer(200, f"<title>cc-ci dashboard</title><ul>{rows}</ul>\n")


serve(Dashboard)
