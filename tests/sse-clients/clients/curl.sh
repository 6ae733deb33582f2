#!/usr/bin/env bash
# curl in a loop: a shell script that remembers the last id and asks for what follows it.
set -uo pipefail

id=
while :; do
    from=()
    [ -z "$id" ] || from=(-H "Last-Event-ID: $id")
    while IFS= read -r line; do
        case $line in
        "event: "*) event=${line#event: } ;;
        "id: "*) next=${line#id: } ;;
        "data: "*) data=${line#data: } ;;
        # An event counts once it is whole.
        "") [ -z "${data:-}" ] || { id=$next; jq -cn --arg event "$event" --arg id "$id" --arg data "$data" '$ARGS.named'; data=; } ;;
        esac
    done < <(curl -sSN "${from[@]}" "$1")
    sleep 1
done
