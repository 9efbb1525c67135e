"""The suite's own tests: unit, plugin, lab, sabotage."""
