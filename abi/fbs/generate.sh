#!/bin/sh
# Copyright The wasmill Authors
# SPDX-License-Identifier: Apache-2.0

# Generates this package from ../wasmill.fbs. Debian's flatbuffers-compiler has flatc.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -r "$out"' EXIT
flatc --go --go-namespace fbs -o "$out" ../wasmill.fbs
for file in "$out"/fbs/*.go; do
	name=$(basename "$file" | tr '[:upper:]' '[:lower:]')
	{
		printf '// Copyright The wasmill Authors\n// SPDX-License-Identifier: Apache-2.0\n\n'
		cat "$file"
	} >"$name"
done
gofmt -w ./*.go
