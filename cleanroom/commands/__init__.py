"""Sub-commands of the `cleanroom` program, one module each.

Knows: how to read arguments and write to a terminal.
Refuses: to do anything that the library does not.
"""
