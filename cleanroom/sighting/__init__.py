"""Where on a machine, and in the repositories, the search looks, one file a place.

Knows: how each place is listed by one means and read by another.
Refuses: to bring a value to the machine: what is searched comes to us.
"""
