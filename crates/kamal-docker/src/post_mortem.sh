look() {
  docker inspect --format '{{.State.Status}} {{.RestartCount}} {{.State.Pid}} {{printf "%.12s" .Id}} {{with index .NetworkSettings.Networks "@network@"}}{{.IPAddress}}{{end}}
{{json .State}}
{{json .NetworkSettings.Networks}}' "$c" 2>/dev/null
}
# Local addresses of listening sockets, but for docker's own name server.
listening() {
  for t in tcp tcp6; do cat "/proc/$pid/net/$t" 2>/dev/null || docker exec "$c" cat "/proc/net/$t" 2>/dev/null; done |
    awk '$2 == "local_address" { print "seen" } $4 == "0A" && $2 !~ /^0B00007F:/ { print $2 }'
}
# What comes back of a request, a blank before each line, and how the asking ended.
ask() {
  if command -v curl >/dev/null 2>&1; then
    curl -s -i --http1.1 --noproxy '*' --max-time "$timeout" -A kamal-proxy -H "Host: $id:$port" "http://$ip:$port$path" 2>/dev/null; echo "curl $?" >&3
  else
    request=$(printf 'GET %s HTTP/1.1\r\nHost: %s:%s\r\nUser-Agent: kamal-proxy\r\nConnection: close\r\n\r\n.' "$path" "$id" "$port")
    if command -v bash >/dev/null 2>&1; then
      timeout "$timeout" bash -c 'exec 3<>"/dev/tcp/$0/$1" || exit 7; printf %s "${2%.}" >&3; cat <&3' "$ip" "$port" "$request" 2>/dev/null; echo "bash $?" >&3
    elif command -v nc >/dev/null 2>&1; then
      { printf %s "${request%.}"; sleep "$timeout"; } | timeout "$timeout" nc "$ip" "$port" 2>/dev/null; echo "nc $?" >&3
    fi
  fi
}
# One that docker starts again and again shows how it ended in between.
n=0; while s=$(look); set -- $(printf '%s\n' "$s" | head -n 1); [ "$1" = running ] && [ "$2" -gt 0 ] && [ $n -lt 3 ]; do n=$((n + 1)); sleep 1; done
status=$1 pid=$3 id=$4 ip=$5
if [ "$status" = running ] && [ -n "$port" ]; then
  # One that is late may listen in a moment.
  n=0; while l=$(listening); [ "$l" = seen ] || [ "$l" = "seen
seen" ]; do [ $n -lt 5 ] || break; n=$((n + 1)); sleep 1; done
  echo '== listening'; printf '%s\n' "$l"
  if [ -n "$ip" ]; then
    echo '== answer'
    { ended=$({ ask | head -c 4000 | sed 's/^/ /' >&4; } 3>&1); } 4>&1
    printf '\n== asked\n%s\n' "$ended"
  fi
fi
echo '== now'; date -u +%s
[ "$status" != running ] || s=$(look)
echo '== state'; printf '%s\n' "$s" | tail -n +2
echo '== restarts'; echo "$2"
echo '== disk'; d=$(sed -n 's/.*"data-root" *: *"\([^"]*\)".*/\1/p' /etc/docker/daemon.json 2>/dev/null); df -Pk "${d:-/var/lib/docker}" 2>/dev/null | tail -n 1
echo '== memory'; sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null
echo '== log'; docker logs --timestamps --tail 30 "$c" 2>&1 | sed 's/^/ /'
