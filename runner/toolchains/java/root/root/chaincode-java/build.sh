#!/bin/sh
# What the peer runs to build Java chaincode (core/chaincode/platforms/java/platform.go): by the package's own Gradle or Maven wrapper
# where it brings one, else by the toolchain's. The chaincode is one jar.
set -e
cp -R "$CONTAINER_ROOT/chaincode/input/src/." "$CONTAINER_ROOT/tmp/src"
cd "$CONTAINER_ROOT/tmp/src"
output="$CONTAINER_ROOT/chaincode/output/chaincode.jar"
if [ -f build.gradle ] || [ -f build.gradle.kts ]; then
  if [ -f gradlew ]; then gradle="sh ./gradlew"; else gradle=gradle; fi
  $gradle --no-daemon -Dorg.gradle.vfs.watch=false build shadowJar -x test -x checkstyleMain -x checkstyleTest ||
    $gradle --no-daemon -Dorg.gradle.vfs.watch=false build shadowJar -x test
  jars=build/libs
elif [ -f pom.xml ]; then
  if [ -f mvnw ]; then maven="sh ./mvnw"; else maven=mvn; fi
  $maven -B -Dmaven.repo.local="$CONTAINER_ROOT/tmp/repository" -DskipTests package
  jars=target
else
  echo "expected build.gradle or pom.xml in the chaincode package, found neither" >&2
  exit 1
fi
if [ -f "$jars/chaincode.jar" ]; then
  cp "$jars/chaincode.jar" "$output"
else
  echo "expected the build to make $jars/chaincode.jar, found:" >&2
  ls "$jars" >&2
  exit 1
fi
