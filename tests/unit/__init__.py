"""What can be shown without the lab: real programs on loopback and in temporary folders, in seconds."""
