echo '== now'; date -u +%s
echo '== docker_info'; command -v docker >/dev/null 2>&1 && echo installed || echo missing
i=$(docker info --format '{{.ServerVersion}}	{{.LoggingDriver}}' 2>&1); echo $?; printf '%s\n' "$i" | tail -n 1
echo '== groups'; id -nG
echo '== space'; d=$(sed -n 's/.*"data-root" *: *"\([^"]*\)".*/\1/p' /etc/docker/daemon.json 2>/dev/null); df -Pk "${d:-/var/lib/docker}" 2>/dev/null | tail -n 1
echo '== memory'; sed -n 's/^Mem\(Total\|Available\): *\([0-9]*\) kB/\2/p' /proc/meminfo 2>/dev/null
echo '== listening'; cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$2 == "local_address" { print "seen" } $4 == "0A" { print $2 }'
echo '== published'; docker ps --format '{{.Names}}	{{.Ports}}' 2>/dev/null
echo '== firewall'; if grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf; then echo ufw; elif command -v firewall-cmd >/dev/null 2>&1 && firewall-cmd --state >/dev/null 2>&1; then echo firewalld; fi
echo '== addresses'; hostname -I 2>/dev/null || ip -o addr show 2>/dev/null | awk '{ sub("/.*", "", $4); print $4 }'
echo '== names'
eval "set -- $names"
for n in "$@"; do { a=$(timeout 5 getent ahosts "$n" 2>/dev/null | awk '{ print $1 }' | sort -u | tr '\n' ' '); printf '%s %s\n' "$n" "$a"; } & done; wait
# A copy out of the container needs no shell in it. The key in the file is left out.
certificate() {
  printf 'name %s\n' "$1"
  docker cp --follow-link "$proxy:$2" - 2>/dev/null | tar -xOf - 2>/dev/null | awk '/-----BEGIN CERTIFICATE-----/ { on = 1 } on { print } /-----END CERTIFICATE-----/ { if (on) exit }'
}
echo '== certificates'; certificates
echo '== registry'; ! grep -qsF "$registry" "${DOCKER_CONFIG:-$HOME/.docker}/config.json" || echo yes
echo '== audit'; tail -n "$lines" "$audit" 2>/dev/null
echo '== made'
eval "set -- $services"
c=$(for s in "$@"; do docker ps --no-trunc --quiet --filter "label=service=$s" 2>/dev/null; done)
[ -z "$c" ] || docker inspect --format '{"Name":{{json .Name}},"Config":{{json .Config}},"HostConfig":{{json .HostConfig}}}' $c 2>/dev/null
:
