#!/usr/bin/env bash
# Runs loads whose durations on Lambda were published in the local model, and
# prints both as a table: docs/trust.md says where the durations are from.
#
#   git clone https://github.com/aws-samples/aws-lambda-parallel-download /tmp/original
#   docs/trust.sh /tmp/original [FLAG ...]
#
# The flags are the comparison's: --cpu 1 takes a core of this machine for a
# vCPU. PYTHON is an interpreter that has boto3 (python3); the published loop
# ran on 3.11. It needs jq, and takes 7 minutes.
set -euo pipefail

original=${1:?the clone is missing: docs/trust.sh CLONE [FLAG ...]}
shift
flags=("$@")
python=$("${PYTHON:-python3}" -c 'import os, sys, boto3; print(os.path.realpath(sys.executable))')
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
go build -C "$(dirname "$0")/.." -o "$work/tune" ./tune
cp "$original/sample.json" "$original/resources/parallel.py" "$work"

# The loop of cebert/aws-lambda-performance-benchmarks, cpu-intensive.
cat >"$work/loop.py" <<'END'
import hashlib

def handler(event, context):
    digest = b"benchmark data for Lambda ARM vs x86 performance testing"
    sha256 = hashlib.sha256
    for _ in range(event["iterations"]):
        digest = sha256(digest).digest()
    return digest.hex()
END

# The handler of the module that MODULE names, served over the Runtime API. The
# interpreter is named in full: the function's PATH is Lambda's, where another may
# come first.
{
  echo "#!$python"
  cat <<'END'
import http.client, importlib, json, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
handle = importlib.import_module(os.environ["MODULE"]).handler
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

def call(method, path, body=None):
    api.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    response = api.getresponse()
    return response.getheader("Lambda-Runtime-Aws-Request-Id"), response.read()

while True:
    request, event = call("GET", "next")
    try:
        outcome, answer = "response", handle(json.loads(event), None)
    except Exception as e:
        outcome, answer = "error", {"errorType": type(e).__name__, "errorMessage": str(e)}
    call("POST", f"{request}/{outcome}", json.dumps(answer))
END
} >"$work/bootstrap"
chmod +x "$work/bootstrap"
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
    --object sample.json -o out "${@:5}" "${flags[@]}" >out.txt 2>&1 || { cat out.txt >&2; exit 1; }
}

# original NUM READS WORKERS PUBLISHED
original() {
  load "$1" arm64 2304 "{\"repeat\": $2, \"objectKey\": \"sample.json\"}" --env MODULE=parallel --env "MAX_WORKERS=$3"
  row "original, $2 reads, $3 at once" arm64 2304 "$4"
}

# loop ARCH PUBLISHED ..., one a size
loop() {
  local arch=$1
  load 3 "$arch" 128,256,512,1024,1769,2048 '{"iterations": 500000}' --env MODULE=loop
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
} | tee table.tsv >&2

awk -F '\t' '
  BEGIN { print "| load | architecture | MB | published, ms | model, ms | error | 1 core, vCPUs |\n|---|---|--:|--:|--:|--:|--:|" }
  { printf "| %s | %s | %d | %d | %d | %+d %% | %.2f |\n", $1, $2, $3, $4, $5, $6, $7 }' table.tsv
cut -f 6 table.tsv | tr -d - | sort -n | awk '{ e[NR] = $1 }
  END { printf "\nMedian error %g %%, largest %d %%.\n", (e[int((NR + 1) / 2)] + e[int(NR / 2) + 1]) / 2, e[NR] }'
