# syntax=docker/dockerfile:1
# One image for web, workers, beat and migrations; what it does is the command's affair.
#   docker build -t tonalist .                              without CUDA where CPU_INDEX is given, see deploy/install.sh
#   docker build -t tonalist:gpu --build-arg TARGET=gpu .   with CUDA, for workers that train and render
ARG PYTHON=3.12
ARG TARGET=cpu

FROM python:${PYTHON}-slim-trixie AS build
ARG TARGET
ARG CPU_INDEX=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_COMPILE=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY deploy/install.sh deploy/
# The lock stands as a constraint, as in the Makefile.
RUN mkdir config evaluation learning collection variants \
    && CPU_INDEX="${CPU_INDEX}" sh deploy/install.sh "${TARGET}"

FROM python:${PYTHON}-slim-trixie
# PostgreSQL's client for `manage.py backup`; it reads servers of its own major version, 17, and older ones.
RUN apt-get update \
    && apt-get install -y --no-install-recommends postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin tonalist \
    && install -d -o tonalist -g tonalist /data /cache
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY . .
# Python finds the packages by the working folder; the version is told by this.
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && TONALIST_DATA=/tmp/build SECRET_KEY=only-for-the-build DEBUG=off /opt/venv/bin/python manage.py check \
    && rm -rf /tmp/build
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TONALIST_DATA=/data \
    TONALIST_CACHE=/cache \
    HOME=/tmp \
    DEBUG=off \
    LOG_FORMAT=json \
    LOG_LEVEL=INFO
USER 10001:10001
VOLUME ["/data", "/cache"]
EXPOSE 8000
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "16", "config.wsgi:application"]
