"""The known-answer search, one file a matter: forms of a value, places, archives, coverage. `cleanroom.leaks` is the way in.

Knows: how a value could be written down, and how to look at all of a place.
Refuses: to call a place clean that was not seen whole.
"""
