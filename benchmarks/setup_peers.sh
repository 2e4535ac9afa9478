#!/bin/sh
# Install the simulators that dcsim is measured against, each in an environment of its own outside the repository.
#
#   benchmarks/setup_peers.sh [FOLDER]      (default: ~/.cache/dcsim-peers; needs Python 3.11)
#
# Then tell the benchmarks where the peer lives: export DCSIM_VIDUR_PYTHON=FOLDER/vidur/bin/python
set -eu
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/dcsim-peers}
mkdir -p -- "$folder"
python3.11 -m venv "$folder/vidur"
"$folder/vidur/bin/python" -m pip --disable-pip-version-check install -qq 'vidur==0.0.26'
printf 'export DCSIM_VIDUR_PYTHON=%s\n' "$folder/vidur/bin/python"
