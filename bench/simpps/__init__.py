"""The standard simulated benchmark: every system trained, evaluated and timed on datasets of `evaluation.simulation.simpps`."""
