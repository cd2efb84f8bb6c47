//! Faults of the disk and the page cache. Those of a file system want one that holds the broker's
//! data and nothing else.

use super::Procedure;
use super::process::RUNNING;
use super::spec::HostSpec;
use crate::node::quote;

/// The page cache forgets what is clean; dirty pages stay, so nothing can be lost and nothing is to be undone. Tells
/// by how many bytes it became smaller.
pub(super) fn drop_cache() -> Procedure {
    let nothing = ":\n".to_owned();
    Procedure {
        apply: "hw_cached() { awk '$1 == \"Cached:\" { printf \"%.0f\", $2 * 1024 }' /proc/meminfo; }\n\
                before=$(hw_cached); echo 1 >/proc/sys/vm/drop_caches || exit 1; after=$(hw_cached)\n\
                [ $after -ge $before ] || echo \"touched 0 $((before-after))\"\necho 'by drop_caches'\n"
            .to_owned(),
        undo: nothing.clone(),
        in_force: nothing.clone(),
        gone: nothing,
    }
}

/// The shutdown ioctl with no log flush (`_IOR('X', 125, u32)`, flag 2; `ext4` and `xfs` know it), by whichever
/// interpreter is there.
const SHUTDOWN: &str = "\
hw_shutdown() {
  if command -v perl >/dev/null; then
    perl -e 'open(F,\"<\",$ARGV[0]) or die \"$ARGV[0]: $!\\n\"; my $f=pack(\"L\",2); ioctl(F,0x8004587d,$f) or die \"shutdown of $ARGV[0]: $!\\n\"' \"$1\"
  elif command -v python3 >/dev/null; then
    python3 -c 'import fcntl,os,struct,sys; fcntl.ioctl(os.open(sys.argv[1],os.O_RDONLY),0x8004587d,struct.pack(\"I\",2))' \"$1\"
  else
    xfs_io -x -c shutdown \"$1\"
  fi
}
";

/// How long the files below a directory are.
const BYTES: &str = "\
hw_bytes() { find \"$1\" -type f -printf '%s\\n' 2>/dev/null | awk '{ s+=$1 } END { printf \"%.0f\\n\", s+0 }'; }
";

/// Unmounts `$at`; whoever still looks into it has four seconds to stop.
const UNMOUNT: &str = "n=0; until umount \"$at\"; do n=$((n+1)); [ $n -lt 20 ] || exit 1; sleep 0.2; done";

/// Order (what was tried on real hosts): silence is the caller's, then SIGKILL, shutdown, unmount, mount, and
/// the undo starts the broker. The shutdown first would let Kafka see the error and fail its log directory in
/// an orderly way. What was lost is the files' size before and after; the device is held open meanwhile, since
/// a loop device may vanish with its last user.
pub(super) fn power_failure(host: &HostSpec, id: &str) -> Procedure {
    let functions = format!("{}{}{SHUTDOWN}{BYTES}", host.functions(), host.mount_functions());
    let about = quote(&format!("{}/{id}/mount", host.state_dir));
    let mount = format!(
        "if [ -z \"$(hw_pid)\" ] && [ -s {about} ]; then\n  {{ read -r src; read -r fs; read -r opt; read -r at; }} <{about}\n  \
         exec 9<\"$src\"\n  if findmnt -n \"$at\" >/dev/null; then {UNMOUNT}; fi\n  \
         mount -t \"$fs\" -o \"$opt\" \"$src\" \"$at\" || exit 1\n  exec 9<&-\nfi\n"
    );
    Procedure {
        apply: format!(
            "set -e\n{functions}m=$(hw_mount) || exit 78\nsrc=$(findmnt -n -o SOURCE \"$m\"); fs=$(findmnt -n -o FSTYPE \"$m\")\n\
             case $fs in ext4|xfs) ;; *) echo \"$m is $fs, and power failure needs ext4 or xfs\" >&2; exit 78;; esac\n\
             case $src in /dev/*) ;; *) echo \"$m is mounted from $src, which is no device\" >&2; exit 78;; esac\n\
             p=$(hw_pid)\n[ -n \"$p\" ] || {{ echo 'the broker does not run: nobody to hit' >&2; exit 78; }}\n\
             opt=$(findmnt -n -o VFS-OPTIONS \"$m\")\nprintf '%s\\n' \"$src\" \"$fs\" \"$opt\" \"$m\" >{about}; sync {about}\n\
             hw_hold\nhw_kill $p\nbefore=$(hw_bytes \"$m\")\nexec 9<\"$src\"\nhw_shutdown \"$m\"\nat=$m\n{UNMOUNT}\n\
             mount -t \"$fs\" -o \"$opt\" \"$src\" \"$m\"\nafter=$(hw_bytes \"$m\")\n\
             echo \"lost $((before-after))\"; echo \"by the shutdown ioctl of $fs\"\n"
        ),
        undo: format!("{functions}{mount}hw_start\n"),
        in_force: format!("{functions}[ -z \"$(hw_pid)\" ]\n"),
        gone: format!("{functions}hw_mount >/dev/null && [ -n \"$(hw_pid)\" ]\n"),
    }
}

/// A file takes all there is, what is reserved for root too: brokers of a lab are root. A broker that has given its
/// disk up meanwhile is started again once there is room.
pub(super) fn full(host: &HostSpec, id: &str) -> Procedure {
    let functions = format!("{}{}", host.functions(), host.mount_functions());
    let name = quote(&format!(".highwater-{id}"));
    Procedure {
        apply: format!(
            "set -e\n{functions}{RUNNING}m=$(hw_mount) || exit 78\nfree=$(df --output=avail -B1 \"$m\" | tail -n 1)\n\
             [ \"$free\" -lt 1 ] || fallocate -l $free \"$m\"/{name}\ncat /dev/zero >>\"$m\"/{name} 2>/dev/null || true\n\
             echo \"by a file of $(stat -c %s \"$m\"/{name}) bytes\"\n"
        ),
        undo: format!(
            "{functions}m=$(hw_mount) || exit 1\n[ -e \"$m\"/{name} ] || exit 0\nrm -f \"$m\"/{name}\n\
             [ -n \"$(hw_pid)\" ] || {{ echo 'seen the broker had given up'; hw_start; }}\n"
        ),
        in_force: format!(
            "{functions}m=$(hw_mount) || exit 1\nif dd if=/dev/zero of=\"$m\"/{name}.try bs=64k count=16 2>/dev/null; then e=1; else e=0; fi\n\
             rm -f \"$m\"/{name}.try\nexit $e\n"
        ),
        gone: format!("{functions}m=$(hw_mount) && [ ! -e \"$m\"/{name} ]\n"),
    }
}

/// As the kernel does it when a disk returns errors; files that are open for writing do not keep it from that,
/// as they do a remount by hand. The undo ends the broker, checks the file system, mounts it again and starts
/// the broker: there is no way back without. What had not got to the disk is gone then, and is counted.
pub(super) fn read_only(host: &HostSpec, id: &str) -> Procedure {
    let functions = format!("{}{}{BYTES}", host.functions(), host.mount_functions());
    let about = quote(&format!("{}/{id}/mount", host.state_dir));
    let is_read_only = "hw_ro() { findmnt -n -o OPTIONS \"$1\" | grep -Eq '(^|,)(ro|emergency_ro)(,|$)'; }\n";
    Procedure {
        apply: format!(
            "set -e\n{functions}m=$(hw_mount) || exit 78\nsrc=$(findmnt -n -o SOURCE \"$m\"); fs=$(findmnt -n -o FSTYPE \"$m\")\n\
             [ $fs = ext4 ] || {{ echo \"$m is $fs, and this fault needs ext4\" >&2; exit 78; }}\n\
             printf '%s\\n' \"$src\" \"$fs\" \"$(findmnt -n -o VFS-OPTIONS \"$m\")\" \"$m\" >{about}; sync {about}\n\
             mount -o remount,errors=remount-ro \"$m\"\necho 1 >/sys/fs/ext4/$(basename $(readlink -f \"$src\"))/trigger_fs_error\n\
             echo 'by trigger_fs_error of ext4'\n"
        ),
        undo: format!(
            "{functions}{is_read_only}[ -s {about} ] || exit 0\n{{ read -r src; read -r fs; read -r opt; read -r at; }} <{about}\n\
             if hw_ro \"$at\" || ! findmnt -n \"$at\" >/dev/null; then\n  p=$(hw_pid)\n  if [ -z \"$p\" ]; then echo 'seen the broker had given up'; else hw_kill $p; fi\n  \
             before=$(hw_bytes \"$at\"); exec 9<\"$src\"\n  if findmnt -n \"$at\" >/dev/null; then {UNMOUNT}; fi\n  \
             e2fsck -p \"$src\" >/dev/null || [ $? -lt 4 ] || exit 1\n  mount -t \"$fs\" -o \"$opt\" \"$src\" \"$at\" || exit 1\n  exec 9<&-\n  \
             after=$(hw_bytes \"$at\"); [ $after -ge $before ] || echo \"lost $((before-after))\"\nfi\nhw_start\n"
        ),
        in_force: format!("{functions}{is_read_only}m=$(hw_mount) && hw_ro \"$m\"\n"),
        gone: format!("{functions}{is_read_only}m=$(hw_mount) && ! hw_ro \"$m\" && [ -n \"$(hw_pid)\" ]\n"),
    }
}
