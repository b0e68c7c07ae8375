# $1: an image, the other arguments: files of its archive.
set -e
image=$1; shift
docker save --help >/dev/null 2>&1 || exit 127
work=$(mktemp -d) || exit 127
trap 'rm -rf "$work"' EXIT
docker save "$image" | tar -x -f - -C "$work" "$@"
tar -c -f - -C "$work" "$@" | gzip -1
