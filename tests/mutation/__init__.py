"""Mutations of the library's own code: small wrong versions of it, each of which a unit test must notice."""
