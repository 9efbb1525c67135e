"""A site file, looked at point by point before anybody runs anything; `cleanroom/site_check.py` puts the looks together.

Knows: files on this side, the forge and its repositories, the hypervisor, the hosts.
Refuses: to change anything anywhere, and to let one point's trouble hide another's.
"""
