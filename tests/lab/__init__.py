"""The lab, tested on itself: these tests bring it up (and leave it up: whoever works here next wants it)."""
