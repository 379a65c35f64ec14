# Three stages: the page's packages, Python's packages, and the image itself, which has neither npm nor pip's leavings.
ARG PYTHON=3.11

FROM node:22-slim AS web
WORKDIR /web
COPY web/package.json web/package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM python:${PYTHON}-slim AS packages
WORKDIR /build
COPY requirements.txt requirements-tracing.txt ./
# Wheels alone, so that nothing is compiled here and no compiler is missed.
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --only-binary :all: --requirement requirements.txt --requirement requirements-tracing.txt

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin codesherpa
WORKDIR /app
COPY --from=packages /venv /venv
COPY . .
COPY --from=web /web/node_modules web/node_modules
RUN mkdir -p instance && chown codesherpa instance && /venv/bin/python -m compileall -q codesherpa config.py wsgi.py
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOST=0.0.0.0 PORT=8000 LOG_FORMAT=json
USER codesherpa
# Only SQLite writes here; with PostgreSQL it stays empty.
VOLUME /app/instance
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["python", "-m", "deploy.alive"]
CMD ["gunicorn", "-c", "gunicorn.conf.py", "--worker-tmp-dir", "/dev/shm", "wsgi:app"]
