# hmsprep and hmstrain on the CPU: docker build -t hms-eeg .
#
# With CUDA, for `docker run --gpus all`, take the wheels of PyTorch that have it:
#   docker build --build-arg TORCH=https://download.pytorch.org/whl/cu128 -t hms-eeg .
FROM python:3.11-slim

ARG TORCH=https://download.pytorch.org/whl/cpu

WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY store store
COPY hmsprep hmsprep
COPY hmstrain hmstrain
RUN pip install --no-cache-dir --constraint constraints.txt --extra-index-url "$TORCH" ".[all]"
RUN useradd --create-home --uid 1000 hms && mkdir /work && chown hms /work

USER hms
WORKDIR /work
CMD ["hmsprep", "--help"]
