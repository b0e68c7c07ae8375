#!/bin/sh
# Starts Node.js chaincode as fabric-nodeenv does: with the arguments that the peer gives.
set -e
cd "$CONTAINER_ROOT/usr/local/src"
exec npm start -- "$@"
