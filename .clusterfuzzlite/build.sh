#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
exec bash "$SRC/sinkproof/fuzz/oss-fuzz/build.sh"
