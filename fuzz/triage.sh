#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
# One command from a finding to a minimal vector: minimise the input, write it as a case file, print
# the line that replays it. usage: fuzz/triage.sh TARGET INPUT LIBRARY.so[:NAME] [OUTPUT]
# PROGRAMS names the directory of the fuzzers (default build/fuzzers/fuzz).
if [ $# -lt 3 ]; then
  sed -n '3,5s/^# //p' "$0"
  exit 2
fi
target=$1 input=$2 library=$3 output=${4:-finding}
programs=${PROGRAMS:-build/fuzzers/fuzz}
case $target in softmax | attention | cache) op=$target ;; *) op=all ;; esac
if [ "$target" = plugin ]; then export SINKPROOF_PLUGIN=$library; fi
SINKPROOF_FINDINGS=$(mktemp -d)
export SINKPROOF_FINDINGS
cp "$input" "$output.input"
"$programs/fuzz_$target" -minimize_crash=1 -max_total_time="${TIME:-60}" -rss_limit_mb=4096 \
  -exact_artifact_path="$output.input" "$input" > /dev/null 2>&1 || true
rm -rf "$SINKPROOF_FINDINGS"
ls -l "$output.input" | awk '{ print $5 " bytes: " $NF }'
"$programs/tool_case" "$library" "$output.input" "$output.case" "$op"
