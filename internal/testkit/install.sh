#!/bin/sh
# Installs what the tests need and this machine lacks: Java 17, Maven, redis-server, twemproxy, Python 3 with venv, and a C compiler for the race
# detector. As root with apt it installs; else it prints the one command that does, and fails.
set -eu

packages=
need() { packages="$packages $*"; }

java17() {
	for java in "${JAVA_HOME:-}/bin/java" java /usr/lib/jvm/*/bin/java; do
		if "$java" -version 2>&1 | grep -q 'version "17[."]'; then return 0; fi
	done
	return 1
}

java17 || need openjdk-17-jre-headless
command -v mvn >/dev/null || need maven
command -v redis-server >/dev/null && command -v redis-cli >/dev/null || need redis-server redis-tools
command -v nutcracker >/dev/null || need nutcracker
command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null || need python3 python3-venv
command -v gcc >/dev/null || need gcc libc6-dev

[ -n "$packages" ] || exit 0

command="apt-get update && apt-get install -y --no-install-recommends$packages"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "tests need programs that are not installed; run as root: $command" >&2
	exit 1
fi
echo "installing$packages" >&2

# Debian starts a redis on port 6379 when redis-server is installed. This policy keeps package scripts from starting services; the tests
# start their own and must not meet another by chance.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	trap 'rm -f "$policy"' EXIT
	trap 'exit 1' INT TERM
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# shellcheck disable=SC2086 # a list of words
apt-get -qq install -y --no-install-recommends $packages >/dev/null
case $packages in
*redis-server*) ! command -v systemctl >/dev/null || systemctl --quiet disable redis-server 2>/dev/null || true ;;
esac
