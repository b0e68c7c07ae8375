# "$@": images; KUBECTL_FABRIC_ARCHIVES: more of them, which carry archives. What cannot be had must not keep the peer from starting.
# Tries each of the credentials, then none.
pull() {
  for config in /kubectl-fabric-pull-secrets/*; do
    [ -e "$config/config.json" ] && docker --config "$config" pull "$1" && return
  done
  docker pull "$1"
}
for image do
  docker image inspect "$image" >/dev/null 2>&1 || pull "$image" || echo "preload: $image failed" >&2
done
if [ -d /kubectl-fabric-archives ]; then
  find /kubectl-fabric-archives -type f -name '*.tar' | while read -r file; do
    docker load --input "$file" || echo "preload: $file failed" >&2
  done
fi
for image in ${KUBECTL_FABRIC_ARCHIVES:-}; do
  if pull "$image" && id=$(docker create "$image" none); then
    docker export "$id" | tar -t | grep '[.]tar$' | while read -r file; do
      docker export "$id" | tar -xO "$file" | docker load || echo "preload: $file failed" >&2
    done
    docker rm "$id" >/dev/null
  else
    echo "preload: $image failed" >&2
  fi
done
