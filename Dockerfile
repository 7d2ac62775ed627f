# longshore: workers, Flower and the command line.
FROM python:3.11-slim-bookworm AS longshore
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin longshore \
    && install -d -o longshore -g longshore -m 0700 /keys /flower
WORKDIR /opt/longshore
COPY pyproject.toml README.md ./
COPY config config
COPY workers workers
COPY tasks tasks
COPY producer producer
COPY lab lab
RUN pip install --no-cache-dir '.[lab]'
USER longshore

# lab-host: what stands in for targets, the proxy and the NAT gateway in the profile "lab".
FROM longshore AS lab-host
USER root
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl iproute2 nftables openssh-server \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --shell /bin/sh deploy \
    && usermod --password '*' deploy
