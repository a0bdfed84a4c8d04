#!/usr/bin/env bash
# Create or update a virtual environment with the versions of a lock file.
# usage: requirements/install.sh VENV LOCK SIZE [ARGUMENTS OF PIP INSTALL ...]
#
# uv installs much faster than pip. It is taken from the machine or from PyPI; where neither has it,
# or INSTALLER=pip says so, pip installs the same versions.
set -euo pipefail
venv=$1 lock=$2 size=$3
shift 3
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || {
  echo "Python 3.11, 3.12 or 3.13 is needed, and $python is another: make PYTHON=python3.12 ..." >&2
  exit 1
}
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "Installing $(grep -c '^[a-z]' "$lock") packages into $venv, about $size on disk"

with_uv() {
  local uv=uv quiet=--quiet
  if ! uv --version >/dev/null 2>&1; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv || return 1
    uv=$venv/bin/uv
  fi
  [ ! -t 2 ] || quiet= # a terminal shows the progress of downloads
  # as pip does: where Python may not write bytecode, each start would compile all of it anew
  UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-300} \
    "$uv" pip install ${quiet:+"$quiet"} --compile-bytecode --python "$venv/bin/python" --requirement "$lock" "$@"
}

with_pip() {
  local pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check)
  "${pip[@]}" --requirement "$lock" "$@" && return
  # such as a constraint in pip's own configuration, which uv does not read
  echo "The locked versions cannot be had here; letting pip choose" >&2
  local wanted=${lock%.lock}.in
  [ ! -f "$wanted" ] || set -- --requirement "$wanted" "$@"
  "${pip[@]}" "$@"
}

if [ "${INSTALLER:-uv}" = pip ]; then
  with_pip "$@"
elif ! with_uv "$@"; then
  echo "uv could not install them; trying pip, which takes longer" >&2
  with_pip "$@"
fi
