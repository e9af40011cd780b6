# One image for every process: `deploy.serve goals`, `deploy.topology`, `deploy.samen status`. No secret is in it.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements.txt ./
RUN python -m venv /opt/samenkracht \
 && /opt/samenkracht/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
# The folders that volumes are mounted on: a new volume takes their owner over.
RUN groupadd --gid 10001 samen \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /srv/samenkracht samen \
 && install -d -o samen -g samen -m 0700 /srv/samen /srv/samen/keys /srv/samen/log /run/samen \
    /srv/bundles/network /srv/bundles/goals /srv/bundles/notifications /srv/bundles/gate /srv/bundles/audit \
    /srv/bundles/provisioner /srv/bundles/samen \
 && install -d -o samen -g samen -m 0755 /srv/nats-config
COPY --from=build /opt/samenkracht /opt/samenkracht
WORKDIR /srv/samenkracht
COPY shared ./shared
COPY services ./services
COPY deploy ./deploy
ENV PATH=/opt/samenkracht/bin:$PATH \
    PYTHONPATH=/srv/samenkracht \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TZ=UTC
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["python", "-m"]
CMD ["deploy.samen", "--help"]
