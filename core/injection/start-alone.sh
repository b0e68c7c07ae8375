# $0: the lock's file, beside the graph; "$@": the daemon.
trap 'exit 143' TERM
exec 9>>"$0"
waited=0
while command -v flock >/dev/null && ! flock -n 9 && [ "$waited" -lt 90 ]; do
  [ "$waited" -gt 0 ] || echo "kubectl-fabric: waits for the daemon before, which still uses this graph" >&2
  waited=$((waited + 1))
  sleep 1
done
trap - TERM
exec "$@"
