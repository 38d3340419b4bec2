"""The suites that come with the project: data, found by ``harness.task``."""
