# $1: seconds without a call, $2: seconds between two looks, $3: URL of the peer's metrics.
idle=$1 every=$2 url=$3
told='' paused='' known=''
say() { [ "$told" = "$1" ] || echo "$1"; told=$1; }
metrics() { timeout 5 wget -q -O - "$url" 2>/dev/null | head -c 16777216; }
chaincode() { docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$1" 2>/dev/null | sed -n 's/^CORE_CHAINCODE_ID_NAME=//p' | head -n 1; }
# Proposals under way; nothing when the metrics do not tell.
calls() { awk '
  /^grpc_server_unary_requests_(received|completed)[{]/ && (/service="protos_Endorser"/ || /service="gateway_Gateway"/ && /method="(Endorse|Evaluate)"/) {
    seen = 1; if (/_received[{]/) sum += $NF; else sum -= $NF
  }
  END { if (seen) printf "%.0f\n", sum }'; }
# What a package has done so far; nothing when this peer has never started it.
activity() { awk -v label="chaincode=\"$1\"" '
  /^chaincode_(shim_requests_received|launch_duration_count)[{]/ && index($0, label) { seen = 1; sum += $NF }
  END { if (seen) printf "%.0f\n", sum }'; }
release() { [ -z "$paused" ] || docker unpause "$paused" >/dev/null; paused=; }
stop() {
  paused=$1
  docker pause "$1" >/dev/null 2>&1 || { say "expected to pause a container, found that Docker cannot: nothing is stopped"; release 2>/dev/null; return; }
  for _ in 1 2 3; do
    text=$(metrics)
    [ "$(printf '%s\n' "$text" | activity "$2")" = "$3" ] || break
    [ "$(printf '%s\n' "$text" | calls)" = 0 ] || continue
    docker kill "$1" >/dev/null && paused= && echo "stopped $2 after $4 s without a call"
    break
  done
  release 2>/dev/null
}
trap 'release; exit 0' TERM INT
trap release EXIT
# Of a predecessor that was killed at the wrong moment.
for container in $(docker ps --quiet --no-trunc --filter status=paused 2>/dev/null); do
  [ -z "$(chaincode "$container")" ] || docker unpause "$container" >/dev/null
done
while :; do
  read -r now _ </proc/uptime; now=${now%.*}
  text=$(metrics) next=
  if [ -z "$(printf '%s\n' "$text" | calls)" ]; then
    say "expected the peer's metrics at $url, found none: nothing is stopped (CORE_METRICS_PROVIDER=prometheus?)"
  else
    say "stops chaincode after $idle s without a call"
    for container in $(docker ps --quiet --no-trunc 2>/dev/null); do
      line=$(printf '%s\n' "$known" | grep "^$container ")
      # shellcheck disable=SC2086 # its words are what is known
      set -- $line
      [ -n "$line" ] || set -- "$container" "$(chaincode "$container")" "" "$now"
      [ -n "$2" ] || continue
      found=$(printf '%s\n' "$text" | activity "$2")
      [ -n "$found" ] || continue
      if [ "$found" != "$3" ]; then set -- "$1" "$2" "$found" "$now"
      elif [ $((now - $4)) -ge "$idle" ]; then stop "$1" "$2" "$3" $((now - $4))
      fi
      next="$next
$*"
    done
  fi
  known=$next
  sleep "$every" & wait $!
done
