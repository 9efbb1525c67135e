"""C6 and the guardrails: what else is on the hypervisor - machines, memory, volumes, images - before, while and after a run lasts.

Knows: how to look at it with the credential that a run has, and what that credential cannot see.
Refuses: to change anything there, but for a resize that the site allows and somebody asked for.
"""
