# ready: a function that succeeds when the daemon serves the peer.
waited=0
until ready >/dev/null 2>&1; do
  waited=$((waited + 1))
  [ "$waited" -lt 120 ] || exit 1
  sleep 1
done
