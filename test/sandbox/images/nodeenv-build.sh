#!/bin/sh
# Sandbox stand-in for fabric-nodeenv's build: what the peer runs to build Node.js chaincode
# (core/chaincode/platforms/node/platform.go). There is no network in the sandbox: dependencies that the
# package brings along are used as they are.
set -e
cp -R /chaincode/input/src/. /chaincode/output
cd /chaincode/output
[ ! -d node_modules ] || exit 0
npm ci --omit=dev --offline || {
  echo "the sandbox has no network: put node_modules into the chaincode package (npm ci before packaging)" >&2
  exit 1
}
