"""Proofs by number: ten thousand mutations, a thousand sweeps, a hundred forgeries, a thousand planted secrets.

`make test` runs them; `make check`, which is for every change, does not.
"""
