//! A clock that is wrong: it jumps, runs fast or slow, or jumps to and fro. On a host with a clock of its own that is
//! the machine's; a broker that was started under *libfaketime* has one that is read from a file, and the fault
//! writes the file. Either way the undo puts back what the clock would have shown, by `CLOCK_MONOTONIC_RAW`, which
//! no step and no slewing touches: no time is lost.
//!
//! A clock that is not the host's own (a container, a network namespace), or that somebody disciplines whom nobody
//! could start again, is refused before anything is touched. Services that discipline it are stopped meanwhile.

use super::Procedure;
use super::process::RUNNING;
use super::spec::HostSpec;
use crate::node::quote;

/// How far off the clock may be from where it was put, in milliseconds: a slow machine reads it late.
const TOLERANCE_MS: i64 = 100;
/// How often a clock that runs fast by a file is written, in seconds.
const WRITE_EVERY: &str = "0.1";

/// `hw_clock raw|wall` reads a clock in nanoseconds, `hw_clock set NS` steps the machine's, `hw_clock tick` reads and
/// `hw_clock tick T F` sets how fast it runs (adjtimex: microseconds a tick of 10 ms, and 2⁻¹⁶ ppm).
const CLOCK: &str = r#"hw_clock() {
  perl -e '
    use strict;
    my $m = `uname -m`; chomp $m;
    my ($get, $set, $adj) = $m eq "x86_64" ? (228, 227, 159) : $m =~ /^(aarch64|riscv64|loongarch64)$/ ? (113, 112, 171) : die "clocks of $m are not known\n";
    my $what = shift;
    if ($what eq "raw" || $what eq "wall") {
      my $t = pack("qq", 0, 0);
      syscall($get, $what eq "raw" ? 4 : 0, $t) == 0 or die "clock_gettime: $!\n";
      my ($s, $n) = unpack("qq", $t); printf "%d\n", $s * 1000000000 + $n;
    } elsif ($what eq "set") {
      my $t = pack("qq", int($ARGV[0] / 1000000000), $ARGV[0] % 1000000000);
      syscall($set, 0, $t) == 0 or die "clock_settime: $!\n";
    } else {
      my $b = pack("L x4 x8 q x64 q x112", @ARGV ? 0x4002 : 0, $ARGV[1] || 0, $ARGV[0] || 0);
      syscall($adj, $b) >= 0 or die "adjtimex: $!\n";
      my ($f, $t) = unpack("x16 q x64 q", $b); print "$t $f\n";
    }' "$@"
}
"#;

/// The machine's own clock: who may not have it, and who else holds it.
const GUARD: &str = r#"[ "$(readlink /proc/1/ns/net)" = "$(readlink /proc/self/ns/net)" ] || { echo 'this node shares its clock with its machine (start its broker under libfaketime, and say clock = "faketime")' >&2; exit 78; }
[ "$(readlink /proc/self/ns/pid)" = 'pid:[4026531836]' ] || { echo 'this node is a container, which shares its clock with its machine (start its broker under libfaketime, and say clock = "faketime")' >&2; exit 78; }
[ $(( (0x$(awk '/^CapEff/ { print $2 }' /proc/self/status) >> 25) & 1 )) = 1 ] || { echo 'root may not set the clock here: it lacks CAP_SYS_TIME' >&2; exit 78; }
command -v perl >/dev/null || { echo 'perl is not there (install perl-base)' >&2; exit 78; }
units=$(for u in chrony chronyd systemd-timesyncd ntp ntpd ntpsec openntpd; do if systemctl is-active -q $u 2>/dev/null; then echo $u; fi; done)
for c in /proc/[0-9]*/comm; do
  case $(cat $c 2>/dev/null) in
    phc2sys|ptp4l) echo "the clock is disciplined by $(cat $c), which is not stopped for this (stop it yourself)" >&2; exit 78;;
    chronyd|ntpd|systemd-timesyn) [ -n "$units" ] || { echo "the clock is disciplined by $(cat $c), which no unit of systemd runs (stop it yourself)" >&2; exit 78; };;
  esac
done
"#;

/// A clock that faults can move.
struct Clock {
    functions: String,
    guard: String,
    /// Exits 0 if the clock is put back.
    right: String,
    is_machines: bool,
    dir: String,
}

/// `hw_put MS` puts the clock so far ahead of the truth, `hw_error` says how far it is, `hw_end` ends what moves it
/// and puts it right.
fn clock(host: &HostSpec, id: &str) -> Clock {
    let dir = quote(&format!("/run/highwater-clock-{id}"));
    let common = format!(
        "{}{CLOCK}d={dir}\n\
         hw_alive() {{\n  [ -s $d/pid ] && [ -r /proc/$(cat $d/pid)/stat ] && ! grep -q '^State:.[ZX]' /proc/$(cat $d/pid)/status\n}}\n\
         hw_still() {{\n  touch $d/stop\n  n=0\n  while hw_alive; do\n    n=$((n+1)); [ $n -lt 100 ] || {{ kill -KILL $(cat $d/pid); n=0; }}; sleep 0.05\n  done\n}}\n",
        host.functions()
    );
    let Some(file) = &host.faketime_file else {
        return Clock {
            functions: format!(
                "{common}hw_true() {{\n  {{ read -r wall; read -r raw; }} <$d/at\n  echo $((wall + $(hw_clock raw) - raw))\n}}\n\
                 hw_put() {{\n  hw_clock set $(($(hw_true) + ($1) * 1000000))\n}}\n\
                 hw_error() {{\n  t=$(hw_true); echo $((($(hw_clock wall) - t) / 1000000))\n}}\n\
                 hw_begin() {{\n  mkdir -m 700 $d\n  printf '%s\\n' $(hw_clock wall) $(hw_clock raw) >$d/at\n  hw_clock tick >$d/tick\n  \
                 for u in $units; do echo $u >>$d/ntp; systemctl stop $u; done\n}}\n\
                 hw_right() {{\n  hw_clock tick $(cat $d/tick) >/dev/null && hw_put 0 || return 1\n  \
                 for u in $(cat $d/ntp 2>/dev/null); do systemctl start $u || return 1; done\n}}\n"
            ),
            guard: GUARD.to_owned(),
            right: String::new(),
            is_machines: true,
            dir,
        };
    };
    let (file, named) = (quote(file), quote(&format!("FAKETIME_TIMESTAMP_FILE={file}")));
    Clock {
        functions: format!(
            "{common}f={file}\n\
             hw_put() {{\n  case $1 in -*) s=-; m=${{1#-}};; *) s=+; m=$1;; esac\n  \
             printf '%s%d.%03d\\n' $s $((m / 1000)) $((m % 1000)) >$f.highwater && mv $f.highwater $f\n}}\n\
             hw_library() {{\n  sed -n 's,.* \\(/.*libfaketime[^ ]*\\)$,\\1,p' /proc/$1/maps | head -n 1\n}}\n\
             hw_error() {{\n  l=$(cat $d/library) || return 1\n  t=$(date +%s%N)\n  \
             w=$(LD_PRELOAD=$l FAKETIME_TIMESTAMP_FILE=$f FAKETIME_NO_CACHE=1 date +%s%N)\n  echo $(((w - t) / 1000000))\n}}\n\
             hw_begin() {{\n  mkdir -m 700 $d\n  hw_library $p >$d/library\n}}\n\
             hw_right() {{\n  hw_put 0\n}}\n"
        ),
        guard: format!(
            "tr '\\0' '\\n' </proc/$p/environ | grep -qxF {named} && [ -n \"$(hw_library $p)\" ] && [ -e $f ] || {{ echo \"the broker does not run under libfaketime with $f (start it with LD_PRELOAD, FAKETIME_TIMESTAMP_FILE, FAKETIME_NO_CACHE=1, DONT_FAKE_MONOTONIC=1 and FAKETIME_FORCE_MONOTONIC_FIX=0)\" >&2; exit 78; }}\n\
             command -v perl >/dev/null || {{ echo 'perl is not there (install perl-base)' >&2; exit 78; }}\n"
        ),
        right: format!(" && [ \"$(cat {file})\" = +0.000 ]"),
        is_machines: false,
        dir,
    }
}

impl Clock {
    /// What it is moved by, in the report.
    const fn by(&self, machines: &'static str) -> &'static str {
        if self.is_machines { machines } else { "libfaketime" }
    }

    fn procedure(&self, apply: &str, seen: &str, in_force: &str) -> Procedure {
        let Self { functions, guard, right, dir, .. } = self;
        Procedure {
            apply: format!("set -e\n{functions}{RUNNING}{guard}hw_begin\n{apply}"),
            undo: format!("{functions}[ -d $d ] || exit 0\n{seen}hw_still\nhw_right || exit 1\nrm -rf $d\n"),
            in_force: format!("{functions}[ -d $d ] || exit 1\n{in_force}"),
            gone: format!("[ ! -d {dir} ]{right}\n"),
        }
    }
}

/// Says how far the clock is off, if it is.
const SEEN: &str = "e=$(hw_error); case $e in 0|-0) ;; -*) echo \"seen its clock was ${e#-} ms behind\";; *) echo \"seen its clock was $e ms ahead\";; esac\n";

/// It jumps; undone, it shows what it would have shown.
pub(super) fn bump(host: &HostSpec, id: &str, ms: i64) -> Procedure {
    let clock = clock(host, id);
    let by = clock.by("clock_settime");
    clock.procedure(
        &format!("hw_put {ms}\necho 'by {by}'\n"),
        SEEN,
        &format!("e=$(($(hw_error) - ({ms})))\n[ $e -gt -{TOLERANCE_MS} ] && [ $e -lt {TOLERANCE_MS} ]\n"),
    )
}

/// It gains `ppm` microseconds a second. The machine's by its ticks, which the kernel lets vary by a tenth; one of
/// libfaketime by a loop that goes on as long as the fault.
pub(super) fn skew(host: &HostSpec, id: &str, ppm: i64) -> Procedure {
    let clock = clock(host, id);
    let ppm = ppm.clamp(-100_000, 100_000);
    if clock.is_machines {
        let (ticks, rest) = (ppm / 100, ppm % 100);
        return clock.procedure(
            &format!(
                "hw_clock tick $((10000 + ({ticks}))) $((({rest}) * 65536)) >/dev/null\necho 'by adjtimex'\n"
            ),
            SEEN,
            &format!("[ \"$(hw_clock tick | cut -d' ' -f1)\" = $((10000 + ({ticks}))) ]\n"),
        );
    }
    let step = format!(
        "from=$(hw_clock raw)\nwhile [ -d $d ] && [ ! -e $d/stop ]; do\n  \
         hw_put $((($(hw_clock raw) - from) / 1000 * ({ppm}) / 1000000000))\n  sleep {WRITE_EVERY}\ndone\n"
    );
    clock.procedure(
        &format!("{}echo 'by libfaketime'\n", looped(&clock, &step)),
        SEEN,
        "n=0; until [ \"$(hw_error)\" != 0 ]; do n=$((n+1)); [ $n -lt 50 ] || exit 1; sleep 0.05; done\nhw_alive\n",
    )
}

/// It is right and wrong in turn, for `period_ms` each. The loop ends with the fault, whoever ends that.
pub(super) fn strobe(host: &HostSpec, id: &str, ms: i64, period_ms: u32) -> Procedure {
    let clock = clock(host, id);
    let by = clock.by("clock_settime");
    let rest = format!("sleep {}.{:03}", period_ms.max(10) / 1000, period_ms.max(10) % 1000);
    let step = format!(
        "n=0\nwhile [ -d $d ] && [ ! -e $d/stop ]; do\n  hw_put {ms}; {rest}\n  hw_put 0; n=$((n+1)); echo $n >$d/jumps; {rest}\ndone\n"
    );
    // Right or wrong just now: one of several looks finds it wrong.
    clock.procedure(
        &format!("{}echo 'by {by}'\n", looped(&clock, &step)),
        &format!("[ ! -s $d/jumps ] || echo \"seen its clock jumped by {ms} ms and back $(cat $d/jumps) times\"\n"),
        &format!(
            "n=0; until e=$(($(hw_error) * 2)) && [ ${{e#-}} -ge {} ]; do n=$((n+1)); [ $n -lt 100 ] || exit 1; sleep 0.017; done\nhw_alive\n",
            ms.unsigned_abs()
        ),
    )
}

/// Starts a loop that outlives whoever starts it, and waits until it is there.
fn looped(clock: &Clock, step: &str) -> String {
    let body = format!("{}echo $$ >$d/pid\n{step}", clock.functions);
    format!(
        "setsid nohup sh -c {} </dev/null >/dev/null 2>&1 &\n\
         n=0; until hw_alive; do n=$((n+1)); [ $n -lt 100 ] || {{ echo 'what moves the clock does not start' >&2; exit 1; }}; sleep 0.05; done\n",
        quote(&body)
    )
}
