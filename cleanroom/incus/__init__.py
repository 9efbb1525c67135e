"""Incus from the outside, by subject; hypervisor.py is what the suite does with it.

Knows: the door: sockets, certificates, the pin.
Refuses: to know what a clean room is.
"""
