#!/bin/bash
# Relay beside Postfix: smtp-source -> MTA -> smtp-sink, durable, on this machine.
#
#   sudo testdata/bench/relay.sh [-m messages] [-l bytes] [-s sessions] [-n rounds] [-d] [-o NAME=VALUE]...
#
# Runs postino and a private Postfix in turns (A B A B ...) and prints for each
# the messages a second until the sink has all of them, the CPU time a message
# and the memory. -d: clients keep their connection for all their messages;
# without it each message comes over a new one. -o: a parameter for main.cf.
# DIR names the folder to work in (the disk to measure); default: a new one in
# /var/tmp. Needs root, Go and the packages postfix and its smtp-source, smtp-sink.
set -euo pipefail
shopt -s nullglob

messages=5000 length=10240 sessions=10 rounds=3 keep='' extra=()
while getopts m:l:s:n:do: flag; do
	case $flag in
	m) messages=$OPTARG ;; l) length=$OPTARG ;; s) sessions=$OPTARG ;; n) rounds=$OPTARG ;;
	d) keep=-d ;; o) extra+=("$OPTARG") ;; *) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 64 ;;
	esac
done
warmup=500
readonly postino_port=25981 postfix_port=25982 sink_port=25983

[[ $EUID == 0 ]] || { echo "Postfix needs root: run this with sudo" >&2; exit 77; }
for tool in go postfix smtp-source smtp-sink; do
	command -v $tool >/dev/null || { echo "$tool is missing" >&2; exit 69; }
done

for port in $postino_port $postfix_port $sink_port; do
	if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then # two sinks could share it, unseen
		echo "something listens on port $port already" >&2
		exit 69
	fi
done

repo=$(cd "$(dirname "$0")/../.." && pwd)
made=''
dir=${DIR:-$(mktemp -d /var/tmp/postino-relay.XXXXXX)}
[[ ${DIR:-} ]] || made=$dir
mkdir -p "$dir"
chmod 755 "$dir"
postino_pid='' postfix_up='' sink_pid=''

stop_postino() { [[ ! $postino_pid ]] || { kill "$postino_pid" && wait "$postino_pid" || true; }; postino_pid=''; }
stop_postfix() { [[ ! $postfix_up ]] || postfix -c "$dir/postfix/etc" stop >/dev/null 2>&1 || true; postfix_up=''; }
stop_sink() { [[ ! $sink_pid ]] || { kill "$sink_pid" && wait "$sink_pid" 2>/dev/null || true; }; sink_pid=''; }
finish() { stop_postino; stop_postfix; stop_sink; [[ ! $made ]] || rm -rf "$made"; }
trap finish EXIT
trap 'exit 130' INT TERM

listening() { # port
	for _ in {1..200}; do
		(: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
		sleep 0.05
	done
	echo "nothing listens on port $1" >&2
	return 1
}

# --- the two configurations ---

write_postino() {
	cat >"$dir/connection.json" <<-X
		{"name": "sink", "provider": "smtp", "from": "erp@contoso.it", "default": "unrouted",
		 "limits": {"concurrency": 10, "per_minute": 0},
		 "smtp": {"host": "127.0.0.1", "port": $sink_port, "encryption": "none"}}
	X
}

write_postfix() {
	local c=$dir/postfix
	mkdir -p "$c"/{etc,spool,data}
	chown postfix "$c/data"
	cat >"$c/etc/main.cf" <<-X
		compatibility_level = 3.6
		myhostname = relay.test
		queue_directory = $c/spool
		data_directory = $c/data
		command_directory = /usr/sbin
		daemon_directory = /usr/lib/postfix/sbin
		mail_owner = postfix
		setgid_group = postdrop
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		mynetworks = 127.0.0.0/8
		mydestination =
		local_recipient_maps =
		relayhost = [127.0.0.1]:$sink_port
		smtpd_relay_restrictions = permit_mynetworks, reject
		smtpd_client_connection_count_limit = 0
		smtp_tls_security_level = none
		maillog_file = $c/maillog
		maillog_file_prefixes = $c
		alias_maps =
		smtp_host_lookup = native
		smtp_dns_support_level = disabled
	X
	local o
	for o in "${extra[@]}"; do echo "${o%%=*} = ${o#*=}" >>"$c/etc/main.cf"; done
	# No chroot, another port, no agents that are not there.
	sed -E -e "/^smtp +inet/s/^smtp /127.0.0.1:$postfix_port /" \
		-e 's/^([a-z0-9.:-]+ +(inet|unix|unix-dgram) +[-yn]+ +[-yn]+ +)(y|-)( )/\1n\4/' /etc/postfix/master.cf.proto |
		grep -vE '^(maildrop|uucp|ifmail|bsmtp|scalemail|mailman)' |
		grep -vE '^ +(flags=|\$\{nexthop)' >"$c/etc/master.cf"
	cp -n /etc/postfix/{postfix-files,dynamicmaps.cf,post-install,postfix-script} "$c/etc/" 2>/dev/null || true
	: >"$c/maillog"
}

start_postino() {
	rm -rf "$dir/data"
	"$dir/postino" connection add --data "$dir/data" -f "$dir/connection.json" >/dev/null
	# 127.0.0.1:0: the HTTP listener, when there is one, takes any free port.
	"$dir/postino" serve --data "$dir/data" --smtp "127.0.0.1:$postino_port" --http 127.0.0.1:0 >"$dir/postino.log" 2>&1 &
	postino_pid=$!
	listening $postino_port
}

start_postfix() {
	rm -rf "$dir/postfix"
	write_postfix
	postfix -c "$dir/postfix/etc" start >/dev/null 2>&1
	postfix_up=yes
	listening $postfix_port
}

# --- what is measured ---

tick=$(getconf CLK_TCK)

# cpu PID: ticks of a process, its children, and those of them that have ended.
cpu() {
	{ cat /proc/[0-9]*/stat 2>/dev/null || true; } | awk -v p="$1" '{
		pid = $1; sub(/^.*\) /, "")
		if (pid == p) sum += $12 + $13 + $14 + $15
		else if ($2 == p) sum += $12 + $13 + $14 + $15
	} END { print sum + 0 }'
}

# rss PID: kB of a process and its children now.
rss() {
	local s sum=0 ppid pid kb k v
	for s in /proc/[0-9]*/status; do
		pid=${s#/proc/} pid=${pid%/status} ppid='' kb=0
		while read -r k v _; do
			case $k in PPid:) ppid=$v; [[ $v == "$1" || $pid == "$1" ]] || break ;; VmRSS:) kb=$v; break ;; esac
		done 2>/dev/null <"$s" || true
		[[ $ppid != "$1" && $pid != "$1" ]] || sum=$((sum + kb))
	done
	echo $sum
}

start_sink() {
	smtp-sink -u nobody -c "127.0.0.1:$sink_port" 1000 >"$dir/sink.out" &
	sink_pid=$!
	listening $sink_port
}

received() { # messages that the sink has
	local last
	last=$(tail -c 40 "$dir/sink.out") last=${last%$'\r'*} last=${last##*mesg=} # cut short or not written yet: 0
	[[ ! $last || $last == *[!0-9]* ]] && last=0
	echo "$last"
}

# relay PORT COUNT PID: sends, waits until the sink has all, leaves the peak of
# the memory on the way in $peak.
relay() {
	local want=$(($(received) + $2)) before have since=$SECONDS now
	before=$((want - $2)) peak=0
	smtp-source $keep -s "$sessions" -l "$length" -m "$2" -f erp@contoso.it -t x@example.com "127.0.0.1:$1" &
	local source=$!
	while have=$(received); ((have < want)); do
		sleep 0.03
		if ((SECONDS - since > 60)); then
			echo "only $((have - before)) of $2 messages arrived within 60 s" >&2
			return 1
		fi
		if ((${EPOCHREALTIME/[.,]/} % 10 == 0)) && now=$(rss "$3") && ((now > peak)); then peak=$now; fi
	done
	wait $source
}

results=()
round() { # name port
	local pid cpu0 cpu1 t0 t1 mem
	start_sink
	"start_$1"
	case $1 in
	postino) pid=$postino_pid ;;
	postfix) pid=$(<"$dir/postfix/spool/pid/master.pid") pid=${pid// /} ;;
	esac
	relay "$2" "$warmup" "$pid"
	cpu0=$(cpu "$pid") t0=${EPOCHREALTIME/[.,]/}
	relay "$2" "$messages" "$pid"
	t1=${EPOCHREALTIME/[.,]/} cpu1=$(cpu "$pid")
	mem=$peak
	if [[ $1 == postino ]]; then mem=$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status"); fi
	stop_"$1"
	stop_sink
	local line
	line=$(awk -v n="$messages" -v us=$((t1 - t0)) -v ticks=$((cpu1 - cpu0)) -v hz="$tick" -v kb="$mem" \
		'BEGIN { printf "%.0f %.2f %.0f", n * 1e6 / us, ticks * 1000 / hz / n, kb / 1024 }')
	results+=("$1 $line")
	# shellcheck disable=SC2086 # three numbers
	printf '%-8s %6d msg/s   %5s ms CPU a message   %4d MB   load %s\n' "$1" $line "$(cut -d' ' -f1 /proc/loadavg)"
}

(cd "$repo" && go build -trimpath -ldflags='-s -w' -o "$dir/postino" ./cmd/postino)
write_postino
write_postfix
echo "# postino: serve --smtp 127.0.0.1:$postino_port, no configuration file, one connection:"
sed 's/^/    /' "$dir/connection.json"
echo "# Postfix $(postconf -c "$dir/postfix/etc" -h mail_version): main.cf, master.cf as shipped but without chroot:"
sed 's/^/    /' "$dir/postfix/etc/main.cf"
echo "# smtp-source ${keep:+$keep }-s $sessions -l $length -m $messages, $rounds rounds after $warmup to warm up, $(nproc) CPUs, load $(cut -d' ' -f1-3 /proc/loadavg)"
for ((i = 0; i < rounds; i++)); do
	round postino $postino_port
	round postfix $postfix_port
done

median() { # name column
	printf '%s\n' "${results[@]}" | awk -v n="$1" -v c="$2" '$1 == n { print $c }' | sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}
echo "# median"
for who in postino postfix; do
	printf '%-8s %6.0f msg/s   %5.2f ms CPU a message   %4.0f MB\n' $who "$(median $who 2)" "$(median $who 3)" "$(median $who 4)"
done
awk -v a="$(median postino 2)" -v b="$(median postfix 2)" -v c="$(median postino 3)" -v d="$(median postfix 3)" \
	'BEGIN { printf "postino relays %.1f times as fast as Postfix, with %.0f %% of its CPU a message\n", a / b, 100 * c / d }'
