#!/bin/sh
# Installs kamal below a prefix, after comparing checksums:
#
#   curl -fsSL https://github.com/kamal-rs/kamal/releases/latest/download/install.sh | sh
#
# KAMAL_VERSION (the latest), KAMAL_PREFIX (/usr/local, or ~/.local without the right to write there) and KAMAL_RELEASES
# (where releases are, a folder's file:// address included) say otherwise.
set -eu

fail() {
  echo "kamal: $*" >&2
  exit 1
}

main() {
  releases=${KAMAL_RELEASES:-https://github.com/kamal-rs/kamal/releases}
  [ "$(uname -s)" = Linux ] || fail "there are programs for Linux alone; build from source elsewhere: see README.md"
  case $(uname -m) in
    x86_64 | amd64) machine=x86_64 ;;
    aarch64 | arm64) machine=aarch64 ;;
    *) fail "there is no program for $(uname -m)" ;;
  esac
  for tool in curl tar sha256sum; do
    command -v "$tool" >/dev/null || fail "$tool is needed and not there"
  done

  if [ -n "${KAMAL_VERSION:-}" ]; then
    from=$releases/download/v$KAMAL_VERSION
  else
    from=$releases/latest/download
  fi
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  curl -fsSL "$from/SHA256SUMS" -o "$work/SHA256SUMS" || fail "no release at $from"
  archive=$(awk '{ print $2 }' "$work/SHA256SUMS" | grep "^kamal-[0-9].*-$machine-linux\.tar\.gz$") ||
    fail "the release at $from has no archive for $machine"
  curl -fsSL "$from/$archive" -o "$work/$archive" || fail "$from/$archive cannot be fetched"
  (cd "$work" && grep "  $archive$" SHA256SUMS | sha256sum -c - >/dev/null) ||
    fail "$archive is not what its checksum says; nothing was installed"

  prefix=${KAMAL_PREFIX:-/usr/local}
  if [ -z "${KAMAL_PREFIX:-}" ] && ! [ -w /usr/local/bin ]; then
    prefix=$HOME/.local
  fi
  mkdir -p "$prefix" || fail "$prefix cannot be made; set KAMAL_PREFIX"
  tar -xzf "$work/$archive" -C "$prefix" --strip-components=1 --no-same-owner
  echo "$("$prefix/bin/kamal" version) is in $prefix/bin"
  case :$PATH: in
    *":$prefix/bin:"*) ;;
    *) echo "add it to your PATH: export PATH=\"$prefix/bin:\$PATH\"" ;;
  esac
}

# Called last, so that a download that was cut off does nothing.
main
