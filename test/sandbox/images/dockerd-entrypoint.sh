#!/bin/sh
# Sandbox stand-in for the docker:dind image's entrypoint: the same contract for `dockerd --host=...` arguments.
# Without arguments it listens on the default unix socket only, and never on TCP.
set -eu

case "${1:-dockerd}" in
-*) set -- dockerd "$@" ;;
esac
[ $# -gt 0 ] || set -- dockerd
[ "$1" = dockerd ] || exec "$@"

# A daemon that was killed leaves its process id behind, and the next one may have got the same.
find /run /var/run -iname 'docker*.pid' -delete 2>/dev/null || true

# cgroup v2 allows no processes beside children with controllers: move ours into a leaf, then
# hand the controllers down, so that containers nest inside this container's limits.
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p /sys/fs/cgroup/init
  while read -r pid; do
    echo "$pid" >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || true
  done </sys/fs/cgroup/cgroup.procs
  # shellcheck disable=SC2013 # words, all of one line
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control || true
  done
fi

# Containers' mounts must be able to spread to their own children.
mount --make-rshared / 2>/dev/null || true

exec "$@"
