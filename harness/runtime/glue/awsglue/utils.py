"""The arguments of a job: ``getResolvedOptions``."""

import argparse

# Glue passes these to every job; they are in the result under their names with underscores.
RESERVED = ("job-bookmark-option", "job-bookmark-from", "job-bookmark-to", "TempDir", "JOB_ID", "JOB_RUN_ID")
BOOKMARK_OPTIONS = ("job-bookmark-enable", "job-bookmark-disable", "job-bookmark-pause")


class GlueArgumentError(Exception):
    pass


class GlueArgumentParser(argparse.ArgumentParser):
    def error(self, message):
        raise GlueArgumentError(message)


def getResolvedOptions(args, options):
    """The job's arguments of these names, all of which must be there, and those that Glue itself passes."""
    parser = GlueArgumentParser(allow_abbrev=False)
    for name in RESERVED:
        choices = BOOKMARK_OPTIONS if name == "job-bookmark-option" else None
        if name not in options:
            parser.add_argument(f"--{name}", choices=choices)
    for name in options:
        if name.replace("_", "-") in RESERVED[:3]:
            raise GlueArgumentError(f"Using reserved arguments {name}")
        parser.add_argument(f"--{name}", required=True)
    parsed, _ = parser.parse_known_args(args[1:])
    found = {name: value for name, value in vars(parsed).items() if value is not None}
    found.setdefault("job_bookmark_option", "job-bookmark-disable")
    return found
