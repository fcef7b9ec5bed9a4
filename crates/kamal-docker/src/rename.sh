overlays=$(docker network ls --no-trunc --quiet --filter driver=overlay)
joined=
[ -z "$overlays" ] || joined=$(docker inspect --format '{{if .State.Running}}{{$id := .Id}}{{range .NetworkSettings.Networks}}{{.NetworkID}} {{$id}}{{range .Aliases}} --alias {{.}}{{end}}{{println}}{{end}}{{end}}' "$from" | grep -F "$overlays")
each() { [ -z "$joined" ] || printf '%s\n' "$joined"; }
set -f
each | while read -r network id _; do docker network disconnect "$network" "$id"; done
docker rename "$from" "$to"
status=$?
each | {
  back=0
  while read -r network id aliases; do docker network connect $aliases "$network" "$id" || back=1; done
  exit $back
} || status=1
exit $status
