#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
# The sources of the oracle's libraries, from the archive that this system installs its packages from,
# under the names that build.sh looks for. Needs apt and dpkg-dev; no root, and the system's own lists
# of packages stay as they are. What is there already is not fetched again.
# usage: sources.sh DIRECTORY
directory=$(mkdir -p "$1" && cd "$1" && pwd)
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/parts" "$state/lists/partial"

# The system's entries, asked for sources instead: either form of entry, unless commented out.
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
  name=$state/parts/$(basename "$file" | tr -c 'A-Za-z0-9_.\n' _)
  case $file in
    *.sources) sed -E 's/^Types:.*/Types: deb-src/' "$file" > "$name" ;;
    *.list) sed -nE 's/^ *deb(-src)? /deb-src /p' "$file" > "$name" ;;
  esac
done 2> /dev/null || true

apt() {
  apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$state/parts" \
    -o Dir::State::Lists="$state/lists" -o APT::Sandbox::User=root "$@"
}

missing=()
for package in gmp mpfr4 mpfi cjson nettle; do
  [ -d "$directory/$package" ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
apt update
for package in "${missing[@]}"; do
  mkdir "$state/$package"
  (cd "$state/$package" && apt source --only-source "$package" > log 2>&1) ||
    { cat "$state/$package/log" >&2; exit 1; }
  mv "$(find "$state/$package" -mindepth 1 -maxdepth 1 -type d)" "$directory/$package"
done
