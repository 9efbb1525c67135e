"""The tables of a site file, by subject; site.py puts them together.

Knows: which keys a table has, and how each is written.
Refuses: to read a file.
"""
