# The plugin's service and the command line in one image. The service makes links in the host's
# network namespace and serves Docker on its socket:
#
#   docker build -t macvlan-ros .
#   docker run -d --name macvlan-ros --restart always --network host \
#       --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_RAW \
#       -v /run/docker:/run/docker -v /var/lib/macvlan-ros:/var/lib/macvlan-ros macvlan-ros
#
# A container is started by Docker, so Docker starts without it: on a PC with systemd
# `macvlan-ros plugin install` is better, elsewhere the managed plugin (plugin/build).
ARG BASE=python:3.12-slim
FROM ${BASE}

COPY setup.cfg pyproject.toml README.md LICENSE /src/
COPY macvlan_ros /src/macvlan_ros
COPY plugin /src/plugin
RUN pip install --no-cache-dir '/src[metrics]' && rm -rf /src

VOLUME /var/lib/macvlan-ros
ENTRYPOINT ["macvlan-ros", "plugin", "serve"]
