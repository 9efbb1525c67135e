"""The embedded default: a private Incus, an image recipe and a small complete site.

Knows: how to make and unmake all of it under one state folder.
Refuses: to judge anything.
"""
