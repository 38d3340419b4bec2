"""A job's beginning and end: between them, bookmarks."""

from awsglue._bookmarks import bookmarks


class Job:
    def __init__(self, glue_context):
        self.glue_context = glue_context

    def init(self, job_name, args=None):
        """``args`` are what ``getResolvedOptions`` returned: they say whether bookmarks are on."""
        bookmarks.begin(job_name, (args or {}).get("job_bookmark_option"))

    def commit(self):
        """What was read since ``init`` counts as read in the next run."""
        bookmarks.commit()

    @staticmethod
    def isInitialized():
        return bookmarks.job is not None
