#!/bin/sh
# What `rnnkit serve` says of a photo: all of it as JSON, then word after word as events.
#
#     sh caption.sh photo.jpg [http://127.0.0.1:8000]
set -eu
photo=$1
url=${2:-http://127.0.0.1:8000}

# As it is; options are in the query.
curl --silent --show-error --fail-with-body --header 'Content-Type: application/octet-stream' \
    --data-binary "@$photo" "$url/caption?decoder=beam&n_best=3"
echo

# As a form, the way browsers do it; options are fields.
curl --silent --show-error --fail-with-body --no-buffer --header 'Accept: text/event-stream' \
    --form "photo=@$photo" --form decoder=greedy "$url/caption"
