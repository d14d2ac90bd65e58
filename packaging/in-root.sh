#!/bin/sh
# What packaging/check.sh does in the root that it made.
set -eu
say() { echo "== $*"; }
expect() { # what, wanted, got
	[ "$2" = "$3" ] || { echo "FAILED: $1 is $3, want $2"; exit 1; }
}

say "install"
dpkg -i /varve.deb
expect "the owner of the data" "varve:varve 750" "$(stat -c '%U:%G %a' /var/lib/varve)"
expect "the owner of the settings" "root:varve 640" "$(stat -c '%U:%G %a' /etc/varve/varved.toml)"
expect "the shell of the user" /usr/sbin/nologin "$(getent passwd varve | cut -d: -f7)"
varved --version

say "start as the unit does"
command=$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/varve.service)
as_varve="setpriv --reuid=varve --regid=varve --init-groups --no-new-privs --bounding-set=-all"
$as_varve $command --check-config
$as_varve $command --http-bind-address 127.0.0.1:0 >/tmp/varved.out 2>/tmp/varved.err &
server=$!
for _ in $(seq 150); do
	grep -q 'is ready on' /tmp/varved.out && break
	kill -0 "$server" 2>/dev/null || { cat /tmp/varved.err; exit 1; }
	sleep 0.2
done
address=$(sed -n 's|.*http://||p' /tmp/varved.out)
varve -host "$address" -execute 'CREATE DATABASE installed'
expect "the databases" installed "$(varve -host "$address" -execute 'SHOW DATABASES' | grep installed)"

say "upgrade, with the settings changed"
echo '# mine' >>/etc/varve/varved.toml
dpkg -i /varve.deb
expect "the last line of the settings" "# mine" "$(tail -n 1 /etc/varve/varved.toml)"
kill -TERM "$server"
wait "$server"

say "remove"
dpkg -r varve
[ ! -e /usr/bin/varved ] || { echo "FAILED: the server is still there"; exit 1; }
[ -e /etc/varve/varved.toml ] || { echo "FAILED: the settings are gone"; exit 1; }
dpkg -P varve
[ -d /var/lib/varve/meta ] || { echo "FAILED: the data is gone"; exit 1; }
say "all is well"
