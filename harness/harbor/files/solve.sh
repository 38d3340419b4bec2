#!/bin/sh
# Puts the reference in place.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
while IFS= read -r path; do
  rm -f -- "/work/$path"
done < "$here/removed.txt"
cp -R -- "$here/files/." /work/
