# The app, for a CPU; for an NVIDIA GPU: docker build --build-arg TORCH=cu130 .
ARG PYTHON=3.12
FROM python:${PYTHON}-slim AS base

ARG TORCH=cpu
ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1
COPY requirements.txt /tmp/requirements.txt
# torch first, from the index of the wanted device: by itself pip would take 5 GB of CUDA along.
RUN grep -E '^torch' /tmp/requirements.txt > /tmp/torch.txt \
    && pip install --index-url https://download.pytorch.org/whl/${TORCH} -r /tmp/torch.txt \
    && pip install -r /tmp/requirements.txt

# Spaces and many clusters run containers as user 1000.
RUN useradd --create-home --uid 1000 segviz && mkdir /data && chown segviz /data
ENV SEGVIZ_CACHE=/data/cache SEGVIZ_DATA_DIR=/data/rooms SEGVIZ_STUDIES=/data/studies
WORKDIR /app

# What a devcontainer starts from: the source is mounted.
FROM base AS dev
RUN apt-get update && apt-get install -y --no-install-recommends chromium git && rm -rf /var/lib/apt/lists/*
USER segviz

FROM base AS app
COPY --chown=segviz . .
USER segviz
VOLUME /data
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request; base = os.environ.get('STREAMLIT_SERVER_BASE_URL_PATH', '').strip('/'); urllib.request.urlopen('http://127.0.0.1:8501/' + (base + '/' if base else '') + 'healthz', timeout=4)"]
CMD ["streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true"]
