#!/usr/bin/env bash
# Runs loads whose durations on Lambda were published in the local model, and
# prints both as a table: docs/trust.md says what the loads are.
#
#   docs/trust.sh FOLDER [FLAG ...]
#
# FOLDER holds bootstrap, sha256_loop.py, parallel_download.py and
# original_sample.json. The flags are the comparison's: --cpu 1 takes a core of
# this machine for a vCPU. PYTHON is an interpreter that has boto3 (python3);
# the published loop ran on 3.11. It needs jq, and takes 6 minutes.
set -euo pipefail

folder=${1:?the folder of the loads is missing: docs/trust.sh FOLDER [FLAG ...]}
shift
flags=("$@")
python=$("${PYTHON:-python3}" -c 'import os, sys, boto3; print(os.path.realpath(sys.executable))')
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
go build -C "$(dirname "$0")/.." -o "$work/tune" ./tune
cp "$folder"/{bootstrap,sha256_loop.py,parallel_download.py,original_sample.json} "$work"
chmod u+w "$work"/*
sed -i "1s|.*|#!$python|" "$work/bootstrap" # the function's PATH is Lambda's, where another may come first
cd "$work"

# row LOAD ARCH MB PUBLISHED, reading results.json: the median of its cell.
row() {
  jq -r --arg load "$1" --arg arch "$2" --argjson mb "$3" --argjson published "$4" '
    .run.cpu.factor as $f | .variants[0].cells[] | select(.power == $mb) |
    if .error then error(.error) else . end |
    (.durations_ms | sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2) as $ms |
    [$load, $arch, $mb, $published, ($ms | round), (100 * ($ms / $published - 1) | round), $f] | @tsv' out/results.json
}

# load NUM ARCH SIZES PAYLOAD [FLAG ...]
load() {
  ./tune --num "$1" --arch "$2" --power "$3" --payload "$4" --strategies none --function bootstrap \
    --object original_sample.json -o out "${@:5}" "${flags[@]}" >out.txt 2>&1 || { cat out.txt >&2; exit 1; }
}

# original NUM READS WORKERS PUBLISHED
original() {
  load "$1" arm64 2304 "{\"repeat\": $2, \"objectKey\": \"original_sample.json\"}" --env MODULE=parallel_download --env "MAX_WORKERS=$3"
  row "original, $2 reads, $3 at once" arm64 2304 "$4"
}

# loop ARCH PUBLISHED ..., one a size
loop() {
  local arch=$1
  load 3 "$arch" 128,256,512,1024,1769,2048 '{"iterations": 500000}' --env MODULE=sha256_loop
  for mb in 128 256 512 1024 1769 2048; do
    shift
    row loop "$arch" "$mb" "$1"
  done
}

{
  loop arm64 4710 1937 967 568 309 270
  loop x86_64 4429 2412 1209 597 337 337
  original 5 1000 30 2300
  original 2 2500 30 7000
  original 1 10000 30 27000
  original 1 2500 1 47000
} | tee table.tsv >/dev/stderr

awk -F '\t' '
  BEGIN { print "| load | processor | MB | published, ms | model, ms | error | 1 core, vCPUs |\n|---|---|--:|--:|--:|--:|--:|" }
  { printf "| %s | %s | %d | %d | %d | %+d %% | %.2f |\n", $1, $2, $3, $4, $5, $6, $7 }' table.tsv
cut -f 6 table.tsv | tr -d - | sort -n | awk '{ e[NR] = $1 }
  END { printf "\nMedian error %g %%, largest %d %%.\n", (e[int((NR + 1) / 2)] + e[int(NR / 2) + 1]) / 2, e[NR] }'
