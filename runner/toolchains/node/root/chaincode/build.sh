#!/bin/sh
# What the peer runs to build Node.js chaincode where it is there (core/chaincode/platforms/node/platform.go). Dependencies that the
# package brings along are used as they are, without the network; else npm ci by the lock file, or npm install.
set -e
output="$CONTAINER_ROOT/chaincode/output"
# The input is this container's alone, which ends with the build: its thousands of files need not be copied.
rmdir "$output"
mv "$CONTAINER_ROOT/chaincode/input/src" "$output"
cd "$output"
if [ -d node_modules ]; then
  exec node "$CONTAINER_ROOT/chaincode/link-commands.mjs"
elif [ -f package-lock.json ] || [ -f npm-shrinkwrap.json ]; then
  exec npm ci --omit=dev
fi
exec npm install --omit=dev
