# The program alone, for the CPU:
#   docker build -t gan-loss-bench .
# For CUDA, with the libraries that torch's wheels on PyPI bring along:
#   docker build -t gan-loss-bench:cuda --build-arg TORCH_INDEX=https://pypi.org/simple .
# docs/how-to/container.md says how to run it. The image of a cluster's nodes is examples/clusters/Dockerfile.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS wheel
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY bench bench
COPY losses losses
COPY results/published results/published
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:${PYTHON}-slim
# Where torch and torchvision come from: wheels without CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY constraints.txt /opt/constraints.txt
# In a layer of their own, which a change of the program leaves alone: they are most of the image.
RUN pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" --constraint /opt/constraints.txt torch torchvision
COPY --from=wheel /wheels /opt/wheels
RUN pip install --no-cache-dir --extra-index-url "$TORCH_INDEX" --constraint /opt/constraints.txt \
      /opt/wheels/gan_loss_bench-*.whl \
    && rm -r /opt/wheels
# Any user may write here, as `--user "$(id -u):$(id -g)"` asks for, so that results belong to you and not to root. torch.compile
# asks for a user's name, and such a user has none.
RUN useradd --create-home bench && mkdir -p /home/bench/.cache /work && chmod 1777 /home/bench /home/bench/.cache /work
ENV HOME=/home/bench USER=bench
USER bench
# Results are in results/local below it, and files that you name are looked for here.
WORKDIR /work
ENTRYPOINT ["gan-loss-bench"]
CMD ["run"]
