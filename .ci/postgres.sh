# A private PostgreSQL 17 with pgvector, pgTAP and plpgsql_check, from Debian's packages, in a folder of its own.
# Sourced by .ci/run. The folder is kept between runs; the data directory lives for one run.

PARLEY_CI_HOME="${PARLEY_CI_HOME:-/var/tmp/parley-ci}"
postgres_root="$PARLEY_CI_HOME/trixie"
postgres_data=""

# Debian's mirror as this machine already uses it; empty leaves the choice to debootstrap.
debian_mirror() {
  apt-get indextargets --format '$(SITE)' 'Origin: Debian' 'Created-By: Packages' 2>/dev/null | grep -v security | head -n 1
}

# Installs the folder once. A folder left by a run that did not finish has no mark and is built again.
install_postgres() {
  mkdir -p "$PARLEY_CI_HOME"
  exec 9>"$PARLEY_CI_HOME/lock"
  flock 9
  if [ ! -e "$postgres_root/installed" ]; then
    rm -rf "$postgres_root"
    if ! command -v debootstrap >/dev/null; then
      apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq debootstrap >/dev/null || return 1
    fi
    debootstrap --variant=minbase \
      --include=postgresql-17,postgresql-17-pgvector,postgresql-17-pgtap,postgresql-17-plpgsql-check \
      trixie "$postgres_root" $(debian_mirror) >"$PARLEY_CI_HOME/debootstrap.log" 2>&1 ||
      { tail -n 20 "$PARLEY_CI_HOME/debootstrap.log"; return 1; }
    touch "$postgres_root/installed"
  fi
  exec 9>&-
}

# Runs one of PostgreSQL's programs as its user; relative paths start in the folder's root.
in_postgres() {
  local program=$1
  shift
  chroot --userspec=postgres:postgres "$postgres_root" "/usr/lib/postgresql/17/bin/$program" "$@"
}

free_port() {
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); });'
}

# Removes what a killed run left: its server, when it still runs, and its data.
remove_leftovers() {
  local left
  for left in "$postgres_root"/var/lib/postgresql/run-*; do
    [ -d "$left" ] || continue
    kill -0 "${left##*-}" 2>/dev/null && continue
    in_postgres pg_ctl -D "${left#"$postgres_root"}" -m immediate -w stop >/dev/null 2>&1
    rm -rf "$left"
  done
}

# Puts the folder's psql on the path. It sees the folder alone, so scripts go to its stdin.
offer_psql() {
  mkdir -p "$PARLEY_CI_HOME/bin"
  printf '#!/bin/sh\nexec chroot --userspec=postgres:postgres "%s" /usr/lib/postgresql/17/bin/psql "$@"\n' "$postgres_root" \
    >"$PARLEY_CI_HOME/bin/psql"
  chmod +x "$PARLEY_CI_HOME/bin/psql"
  PATH="$PARLEY_CI_HOME/bin:$PATH"
}

# Starts a fresh server on a free loopback port; its address is then in `postgres_url`.
start_postgres() {
  local port
  remove_leftovers
  port=$(free_port) || return 1
  postgres_data="/var/lib/postgresql/run-$$"
  in_postgres initdb -D "$postgres_data" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 >/dev/null || return 1
  in_postgres pg_ctl -D "$postgres_data" -w -l "$postgres_data/server.log" -o \
    "-p $port -k /tmp -c listen_addresses=127.0.0.1 -c max_connections=300 -c shared_buffers=256MB" start >/dev/null ||
    { tail -n 20 "$postgres_root$postgres_data/server.log"; return 1; }
  postgres_url="postgresql://postgres@127.0.0.1:$port/postgres"
}

# Stops the server of this run, if there is one, and removes its data.
stop_postgres() {
  [ -n "$postgres_data" ] || return 0
  in_postgres pg_ctl -D "$postgres_data" -m immediate -w stop >/dev/null 2>&1
  rm -rf "${postgres_root:?}$postgres_data"
}
