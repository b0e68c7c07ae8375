#!/bin/sh
# What the peer runs to build Java chaincode (core/chaincode/platforms/java/platform.go): by the package's own Gradle or Maven wrapper
# where it brings one, else by the toolchain's. The chaincode is one jar; or it is jars that the package brings along, as fabric-javaenv
# takes them where there is nothing to build.
set -e
input="$CONTAINER_ROOT/chaincode/input"
output="$CONTAINER_ROOT/chaincode/output"
source="$CONTAINER_ROOT/tmp/src"
# The input is this container's alone, which ends with the build: it need not be copied.
if [ -d "$input/src" ]; then mv "$input/src" "$source"; else mv "$input" "$source"; fi
cd "$source"
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
  if [ -z "$(find . -type f -name '*.jar')" ]; then
    echo "expected build.gradle, pom.xml or jars in the chaincode package, found none" >&2
    exit 1
  fi
  find . -type f ! -name '*.jar' -exec rm -f {} +
  rmdir "$output"
  mv "$source" "$output"
  exit 0
fi
if [ -f "$jars/chaincode.jar" ]; then
  mv "$jars/chaincode.jar" "$output"
  # As fabric-javaenv marks it: it is started by its own main class.
  touch "$output/.uberjar"
else
  echo "expected the build to make $jars/chaincode.jar, found:" >&2
  ls "$jars" >&2
  exit 1
fi
