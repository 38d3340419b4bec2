"""Run directories as a site of static pages, written to disk (``write_site``) or served live (``serving``).

``pages/`` holds one module for each kind of page, found by discovery. A page is rendered when it is asked for, so that
the live view of a large run renders no more than what is looked at. What models wrote is text in every page: see
``drawing`` for the rules that keep it so.
"""

from results.report.reading import ReportedRun, Source, read
from results.report.site import Site, write_site

__all__ = ["ReportedRun", "Site", "Source", "read", "write_site"]
