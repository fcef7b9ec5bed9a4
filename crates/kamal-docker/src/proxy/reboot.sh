# Replaces the container kamal-proxy. In front of this stand the functions create, bridge and take_over, which make the
# new container in three forms: the one that stays, one for the time between, one in a network that outlives the old one.

PATH=$PATH:/usr/sbin:/sbin
sudo=; [ "$(id -u)" = 0 ] || sudo='sudo -n'

nat() { $sudo iptables -w 5 -t nat "$@" </dev/null 2>/dev/null; }
look() { docker container inspect --format "$2" "$1" 2>/dev/null; }
address() { look "$1" '{{with .NetworkSettings.Networks.kamal}}{{.IPAddress}}{{end}}'; }

# Waits until the proxy in a container answers.
answers() {
  n=0
  until docker exec "$1" kamal-proxy list >/dev/null 2>&1; do
    n=$((n + 1))
    [ $n -lt 100 ] && [ "$(look "$1" '{{.State.Status}}')" != exited ] || return 1
    sleep 0.2 2>/dev/null || sleep 1
  done
}

# Stops a proxy whose clients are led elsewhere by now. Those that keep connections are asked to make new ones first;
# Kamal's own proxy does not know how to. What fails by accident is worth a second try, as requests depend on it.
dismiss() {
  docker exec "$1" kamal-proxy leave --drain-timeout 10s >/dev/null 2>&1 ||
    docker exec "$1" kamal-proxy leave --drain-timeout 10s >/dev/null 2>&1
  docker stop "$1" >/dev/null 2>&1
}

# Leads what begins from now on to the bridge; what has begun stays with the old container. Docker's own rules for the
# old container say what is meant for it, so each gets its like in front of it.
#
# Two kinds of clients come another way, through docker's userland proxy. Containers of the network that ask the host are
# led to the bridge as the host's own requests, lest answers go to them directly and not be known; what asks 127.0.0.1 is
# led to the port that docker's proxy has for the bridge.
divert() {
  from=$(address kamal-proxy) to=$(address kamal-proxy_bridge)
  network=$(look kamal-proxy '{{with .NetworkSettings.Networks.kamal}}{{.Gateway}}/{{.IPPrefixLen}}{{end}}')
  [ -n "$from" ] && [ -n "$to" ] || return 1
  mark='-m comment --comment kamal-proxy-reboot'
  outgoing=$(nat -S OUTPUT)
  nat -S DOCKER | grep '^-A' | {
    at=0 done=1
    while read -r _ _ rule; do
      at=$((at + 1))
      case $rule in *" -j DNAT --to-destination $from:"*) ;; *) continue ;; esac
      meant=${rule%% -j *} port=${rule##*:}
      nat -I DOCKER $at $meant $mark -j DNAT --to-destination "$to:$port" || exit 1
      at=$((at + 1)) done=0
      case $meant in *'! -i '*'-p tcp '*) ;; *) continue ;; esac
      nat -I DOCKER ${meant%%! *}${meant#*! } $mark -j DNAT --to-destination "$to:$port" &&
        nat -I POSTROUTING -s "$network" -d "$to" -p tcp --dport "$port" $mark -j MASQUERADE || exit 1
      at=$((at + 1))
      case $outgoing in *'! -d 127.0.0.0/8'*) ;; *) continue ;; esac
      case $meant in '-d 127.'*) ;; '-d '*) continue ;; esac
      published=$(docker port kamal-proxy_bridge "$port/tcp")
      nat -I OUTPUT -d 127.0.0.0/8 -p tcp --dport "${meant##*--dport }" $mark \
        -j REDIRECT --to-ports "${published##*:}" || exit 1
    done
    exit $done
  }
}

# Takes back what divert did, whoever did it.
straighten() {
  nat -S | grep kamal-proxy-reboot | while read -r _ rule; do nat -D $rule; done
}

# Lets a second proxy serve while there is no first. Status 1 means that it cannot be had here, 2 that it does not work.
bridge_over() {
  nat -S DOCKER >/dev/null || return 1
  # Published to the host alone, so that docker lets connections through to it.
  publish=$(look kamal-proxy \
    '{{range $port, $at := .NetworkSettings.Ports}}{{if $at}}--publish 127.0.0.1::{{$port}} {{end}}{{end}}')
  [ -n "$publish" ] && bridge >/dev/null 2>&1 || return 1
  answers kamal-proxy_bridge || return 2
  # What was deployed since it read the state would be missing.
  [ "$(docker exec kamal-proxy kamal-proxy list)" = "$(docker exec kamal-proxy_bridge kamal-proxy list)" ] && divert
}

# Takes the second proxy away again, and the way to it.
tear_down() {
  straighten
  docker rm --force kamal-proxy_bridge >/dev/null 2>&1
}

# From the old container to the new one.
swap() {
  bridge_over
  bridged=$?
  # Until here nobody notices anything, so what failed by accident is worth a second try.
  [ $bridged -ne 1 ] || { tear_down; bridge_over; bridged=$?; }
  case $bridged in
    0) dismiss kamal-proxy ;;
    2)
      docker logs --tail 20 kamal-proxy_bridge >&2
      echo 'the new proxy does not answer; the old one goes on serving' >&2
      return 1
      ;;
    *)
      tear_down
      docker stop kamal-proxy >/dev/null 2>&1
      ;;
  esac
  docker rename kamal-proxy kamal-proxy_replaced 2>/dev/null
  docker rename kamal-proxy_next kamal-proxy && docker start kamal-proxy
}

# Wherever a swap has come to: sees that the new proxy serves, or else the old one, and that nothing else is left.
settle() {
  status=0
  docker start kamal-proxy >/dev/null 2>&1 && answers kamal-proxy || {
    status=1
    docker logs --tail 20 kamal-proxy >&2
    if look kamal-proxy_replaced . >/dev/null; then
      echo 'the new proxy does not answer; the old one serves again' >&2
      docker rm --force kamal-proxy >/dev/null 2>&1
      docker rename kamal-proxy_replaced kamal-proxy && docker start kamal-proxy >/dev/null && answers kamal-proxy
    fi
  }
  straighten
  # Whether or not there is one: a look that fails by accident must not cut its clients off.
  dismiss kamal-proxy_bridge
  docker rm --force kamal-proxy_bridge kamal-proxy_next kamal-proxy_replaced >/dev/null 2>&1
  return $status
}

# The new container is made, and its image fetched, before anything else happens. From then on a lost connection or a
# signal stops nothing, and if the process that swaps is killed the one that waits for its end settles.
replace() {
  [ -z "$(docker ps --all --quiet --filter 'name=^/kamal-proxy_')" ] || settle
  create >/dev/null || return 1
  trap '' HUP INT TERM PIPE
  { { swap; echo $? >&3; } 3>&1 >&4 4>&- | {
    # Docker goes on with a stop nobody waits for any more.
    read -r swapped || docker stop kamal-proxy >/dev/null 2>&1
    settle && exit "${swapped:-1}"
  }; } 4>&1
}

# Where the old container's network outlives it the new one takes over its sockets, and nobody notices.
hand_over() {
  docker rename kamal-proxy kamal-proxy_replaced && docker update --restart no kamal-proxy_replaced >/dev/null || return 1
  if take_over && answers kamal-proxy; then
    docker wait kamal-proxy_replaced >/dev/null
    docker rm kamal-proxy_replaced >/dev/null
  else
    docker logs --tail 20 kamal-proxy >&2
    docker rm --force kamal-proxy >/dev/null 2>&1
    docker rename kamal-proxy_replaced kamal-proxy
    docker update --restart unless-stopped kamal-proxy >/dev/null
    echo 'the new proxy did not take over; the old one goes on serving' >&2
    return 1
  fi
}

# One reboot at a time: a second one would take the first one's containers for leftovers. What is locked is a folder, so
# that nothing is left behind, and by a descriptor that the processes of the swap share, so that the lock lasts as long as
# any of them. A host without flock has the deploy lock alone.
alone() {
  command -v flock >/dev/null || return 0
  waited=0
  until flock -n 9; do
    [ $waited -gt 0 ] || echo 'another reboot of the proxy goes on on this host; waiting for its end' >&2
    waited=$((waited + 1))
    [ $waited -lt 300 ] || return 1
    sleep 1
  done
}

exec 9<"$kamal_proxy_folder"
alone || {
  echo 'another reboot of the proxy has gone on on this host for five minutes; nothing was done' >&2
  exit 1
}
mode=$(look kamal-proxy '{{.HostConfig.NetworkMode}}')
case $mode in
  host | container:*) docker exec kamal-proxy kamal-proxy run --help 2>/dev/null | grep -q -e --takeover || mode= ;;
  *) mode= ;;
esac
if [ -n "$mode" ]; then hand_over; else replace; fi || exit 1
docker container prune --force --filter label=org.opencontainers.image.title=kamal-proxy
