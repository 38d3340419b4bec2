"""Reads and writes run directories, and makes tables and statistics of them. Knows no model and no grader."""
