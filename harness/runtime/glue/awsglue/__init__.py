"""AWS Glue's library for jobs, on Spark: what jobs use of it, with the names and the behaviour that Glue has.

Objects of S3 are fetched and stored by this library, at the endpoint that AWS_ENDPOINT_URL names; Spark works on copies
of them. What isn't here says so when it is called.
"""

from awsglue.dynamicframe import DynamicFrame

__all__ = ["DynamicFrame"]
