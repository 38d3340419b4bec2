"""Produces submissions: tasks, personas, agents, models, sandboxes and engines, and the trial that joins them."""
