//! A slow disk: the kernel throttles what the broker's control group does with the device of its data. By
//! `io.max` of cgroup v2 that covers write-back too; by `blkio` of v1 only what is read and what the broker
//! itself syncs. What a device-mapper delay could do besides wants the data on such a device from the start.

use super::Procedure;
use super::process::RUNNING;
use super::spec::HostSpec;
use crate::node::quote;

/// `hw_device` names the whole disk under the data directory, as `MAJOR:MINOR`: partitions are not throttled.
fn device(host: &HostSpec) -> String {
    let data = quote(&host.data_dir);
    format!(
        "hw_device() {{\n  s=$(findmnt -n -o SOURCE --target {data}) || {{ echo 'the data directory is not there' >&2; return 1; }}\n  \
         case $s in /dev/*) ;; *) echo \"the data directory is on $s, which is no device\" >&2; return 1;; esac\n  \
         d=$(readlink -f /sys/class/block/$(basename \"$(readlink -f \"$s\")\"))\n  [ ! -e $d/partition ] || d=${{d%/*}}\n  cat $d/dev\n}}\n"
    )
}

/// Throttles reads and writes apart to `kib` KiB a second. Where the group throttles this device already,
/// somebody wants that, and nothing is done.
pub(super) fn disk(host: &HostSpec, id: &str, kib: u32) -> Procedure {
    let about = quote(&format!("{}/{id}/throttle", host.state_dir));
    let done = done(&about);
    let functions = format!("{}{}{done}", host.functions(), device(host));
    let rate = u64::from(kib.max(1)) * 1024;
    let foreign = "{ echo \"device $dev is throttled already in $f (remove that, or leave this fault out)\" >&2; exit 78; }";
    Procedure {
        apply: format!(
            "set -e\n{functions}{RUNNING}dev=$(hw_device) || exit 78\n\
             two=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)$(sed -n 's/^0:://p' /proc/$p/cgroup)\n\
             one=$(findmnt -n -t cgroup -O blkio -o TARGET | head -n 1)$(sed -n 's/^[0-9]*:\\([^:]*,\\)*blkio\\(,[^:]*\\)*://p' /proc/$p/cgroup)\n\
             if [ -e \"$two/io.max\" ]; then\n  f=$two/io.max\n  ! grep -q \"^$dev \" \"$f\" || {foreign}\n  \
             printf '%s\\n' \"$dev\" \"$f\" >{about}; sync {about}\n  echo \"$dev rbps={rate} wbps={rate}\" >\"$f\"\n  hw_done >{about}.done\n  echo 'by cgroup v2 io.max'\n\
             elif [ -e \"$one/blkio.throttle.write_bps_device\" ]; then\n  \
             for f in \"$one\"/blkio.throttle.read_bps_device \"$one\"/blkio.throttle.write_bps_device; do ! grep -q \"^$dev \" \"$f\" || {foreign}; done\n  \
             printf '%s\\n' \"$dev\" \"$one\"/blkio.throttle.read_bps_device \"$one\"/blkio.throttle.write_bps_device >{about}; sync {about}\n  \
             for f in \"$one\"/blkio.throttle.read_bps_device \"$one\"/blkio.throttle.write_bps_device; do echo \"$dev {rate}\" >\"$f\"; done\n  \
             hw_done >{about}.done\n  echo 'by cgroup v1 blkio: reads, and what the broker itself syncs'\n\
             else\n  echo 'no control group of the broker can throttle its disk (systemctl set-property UNIT IOAccounting=yes, or boot with cgroup v2)' >&2; exit 78\nfi\n"
        ),
        undo: format!(
            "{done}[ -s {about} ] || exit 0\n\
             if [ -s {about}.done ]; then was=$(cat {about}.done); now=$(hw_done); echo \"touched 0 $((now-was))\"; rm -f {about}.done; fi\n{{ read -r dev; while read -r f; do\n  [ -e \"$f\" ] || continue\n  \
             case $f in */io.max) echo \"$dev rbps=max wbps=max\" >\"$f\";; *) echo \"$dev 0\" >\"$f\";; esac\ndone; }} <{about}\n"
        ),
        in_force: throttled(&about, 0),
        gone: throttled(&about, 1),
    }
}

/// `hw_done` tells the bytes that the group has read from the device and written to it so far.
fn done(about: &str) -> String {
    format!(
        "hw_done() {{\n  {{ read -r dev; read -r f; }} <{about}\n  case $f in\n    \
         */io.max) awk -v d=\"$dev\" '$1 == d {{ for (i=2; i<=NF; i++) if (split($i, v, \"=\") && v[1] ~ /^[rw]bytes$/) s+=v[2] }} END {{ printf \"%.0f\\n\", s+0 }}' \"${{f%io.max}}io.stat\";;\n    \
         *) awk -v d=\"$dev\" '$1 == d && $2 == \"Total\" {{ s+=$3 }} END {{ printf \"%.0f\\n\", s+0 }}' \"${{f%read_bps_device}}io_service_bytes\";;\n  esac\n}}\n"
    )
}

/// Exits 0 if every file on record throttles the device (`absent` 0), or none does (1).
fn throttled(about: &str, absent: u8) -> String {
    let (nothing, mismatch) = if absent == 1 { (0, "!") } else { (1, "") };
    format!(
        "[ -s {about} ] || exit {nothing}\n{{ read -r dev; while read -r f; do\n  \
         {mismatch} grep -qs \"^$dev \" \"$f\" || exit 1\ndone; }} <{about}\n"
    )
}
