#!/bin/sh
# Sandbox stand-in for fabric-nodeenv's build: what the peer runs to build Node.js chaincode
# (core/chaincode/platforms/node/platform.go). There is no network in the sandbox: dependencies that the
# package brings along are used as they are.
set -e
cp -R /chaincode/input/src/. /chaincode/output
cd /chaincode/output
if [ -d node_modules ]; then
  # A chaincode package holds plain files only (ValidateCodePackage): links to commands are made again.
  exec npm rebuild --offline --ignore-scripts
fi
npm ci --omit=dev --offline || {
  echo "the sandbox has no network: put node_modules into the chaincode package (npm ci before packaging)" >&2
  exit 1
}
