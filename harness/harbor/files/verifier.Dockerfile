
# The grader, in the environment that it grades in, with the walls that it puts around what it grades.
RUN apt-get update --quiet=2 \
    && DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends bubblewrap \
    && rm -rf /var/lib/apt/lists/*
COPY ca-bundle.crt requirements.txt constraints.txt /opt/bench/
RUN if [ -s /opt/bench/ca-bundle.crt ]; then \
      export SSL_CERT_FILE=/opt/bench/ca-bundle.crt PIP_CERT=/opt/bench/ca-bundle.crt; fi; \
    python3 -m venv /opt/bench/venv && /opt/bench/venv/bin/pip install --quiet --no-cache-dir \
      --requirement /opt/bench/requirements.txt --constraint /opt/bench/constraints.txt
COPY bench /opt/bench/source
COPY tasks /opt/bench/tasks
COPY test.sh /tests/test.sh
ENV PYTHONPATH=/opt/bench/source BENCH_CACHE=/opt/bench/cache
# Its boxes are made of the environment that this image is made of.
RUN /opt/bench/venv/bin/python -m harness.harbor.verify adopt /opt/bench/tasks /opt/engine && chmod 0755 /tests/test.sh
