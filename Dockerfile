# One image for every service of docker-compose.yml.
# 3.11-slim as Docker Hub had it in August 2026; the digest is of the index of all architectures. Dependabot renews it.
FROM python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7

# libgomp1: the OpenMP runtime that lightgbm loads and slim images lack
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home yt

WORKDIR /app
# Before the code, so that a change of code does not install everything again. For another build of torch than pip's
# choice: docker compose build --build-arg PIP_EXTRA_INDEX_URL=... (see the head of requirements.lock).
ARG PIP_EXTRA_INDEX_URL
COPY requirements.lock requirements.hashes ./
RUN pip install --no-cache-dir --require-hashes --no-deps -r requirements.hashes \
    && pip install --no-cache-dir -r requirements.lock

COPY . ./
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e .

# The volume of YT_HOME starts as a copy of /data: owned by the user, with the instance's configuration linked in.
ENV YT_HOME=/data DAGSTER_HOME=/data/dagster DAGSTER_EVENT_BATCH_SIZE=100 MLFLOW_DISABLE_TELEMETRY=true
RUN mkdir -p "$DAGSTER_HOME" && ln -s /app/dagster.yaml "$DAGSTER_HOME/dagster.yaml" && chown -R yt:yt /data
USER yt
CMD ["yt-platform", "--help"]
