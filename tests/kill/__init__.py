"""The kill matrix: runs cut off at named points by named blows, after which nothing of them may be left."""
