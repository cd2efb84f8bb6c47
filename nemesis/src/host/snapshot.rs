//! The stale disk: a broker comes back with data it had some time ago, as from a backup or a snapshot of its
//! volume. `snapshot` keeps a copy for as long as it lasts, `restore-snapshot` puts it back; their order and
//! what happens in between are the caller's. It goes beyond what replication promises to survive: a broker
//! that is a controller too may forget whom it has voted for.

use super::Procedure;
use super::process::RUNNING;
use super::spec::HostSpec;
use crate::node::quote;

/// What can be copied, twice, within the time a fault may take to be applied.
const COPY_MAX_GIB: u32 = 4;

/// `hw_data FROM` lists what belongs to the data, `hw_copy FROM TO` copies it, `hw_fits TO` sees that there is
/// room, `hw_replace FROM` puts a copy in place of what is there; with `keep_metadata` only its logs, without that of
/// the cluster's metadata and the vote in it. `hw_log_bytes DIR` is how long the logs are.
fn functions(host: &HostSpec, keep_metadata: bool) -> String {
    let data = quote(&host.data_dir);
    let replace = if keep_metadata {
        format!(
            "for r in . $(cd \"$1\" && ls -d */ 2>/dev/null); do\n    [ -e \"$1/$r/meta.properties\" ] || continue\n    \
             hw_logs {data}/$r | xargs -0r rm -rf\n    hw_logs \"$1/$r\" | xargs -0r cp -a -t {data}/$r || return 1\n  done\n  \
             sync -f {data}"
        )
    } else {
        format!(
            "hw_data {data} | xargs -0r rm -rf\n  hw_data \"$1\" | xargs -0r cp -a -t {data} && sync -f {data}"
        )
    };
    format!(
        "{}hw_is_data() {{\n  for f in \"$1\"/meta.properties \"$1\"/*/meta.properties; do [ ! -e \"$f\" ] || return 0; done\n  return 1\n}}\n\
         hw_data() {{\n  find \"$1\"/ -mindepth 1 -maxdepth 1 ! -name lost+found ! -name '.highwater-*' -print0\n}}\n\
         hw_copy() {{\n  mkdir \"$2\" && hw_data \"$1\" | xargs -0r cp -a --reflink=auto -t \"$2\" && sync -f \"$2\"\n}}\n\
         hw_fits() {{\n  hw_is_data {data} || {{ echo {data} 'does not look like a data directory of Kafka: it has no meta.properties' >&2; return 1; }}\n  \
         need=$(du -sk {data} | cut -f1); free=$(df --output=avail -k \"$1\" | tail -n 1)\n  \
         [ $need -le $(({COPY_MAX_GIB} * 1048576)) ] || {{ echo {data} \"holds $((need/1024)) MiB, and at most {COPY_MAX_GIB} GiB are copied\" >&2; return 1; }}\n  \
         [ $((need + 65536)) -le $free ] || {{ echo \"a copy of $((need/1024)) MiB does not fit into $1, which has $((free/1024)) MiB\" >&2; return 1; }}\n}}\n\
         hw_logs() {{\n  find \"$1\"/ -mindepth 1 -maxdepth 1 ! -name lost+found ! -name '.highwater-*' ! -name '__cluster_metadata-*' \
         ! -name meta.properties ! -name bootstrap.checkpoint ! -name .lock -print0\n}}\n\
         hw_log_bytes() {{\n  find \"$1\"/ -name '*.log' ! -path '*/__cluster_metadata-*' -printf '%s\\n' 2>/dev/null | awk '{{ s+=$1 }} END {{ printf \"%.0f\\n\", s+0 }}'\n}}\n\
         hw_replace() {{\n  hw_is_data \"$1\" || return 1\n  {replace}\n}}\n",
        host.functions()
    )
}

/// The name of a node's snapshot: several nodes may share a host.
fn name(host: &HostSpec) -> String {
    format!("snapshot-of-{}", host.node)
}

/// Keeps a copy of the data directory, taken while the broker is stopped.
pub(super) fn take(host: &HostSpec, id: &str) -> Procedure {
    let functions = functions(host, false);
    let (data, state) = (quote(&host.data_dir), quote(&host.state_dir));
    let copy = quote(&format!("{}/{id}/{}", host.state_dir, name(host)));
    Procedure {
        apply: format!(
            "set -e\n{functions}{RUNNING}\
             for s in {state}/*/{}; do [ ! -e \"$s\" ] || {{ echo \"there is a snapshot already: $s (undo it first)\" >&2; exit 78; }}; done\n\
             hw_fits {state} || exit 78\nhw_hold\nhw_stop $p\nhw_copy {data} {copy}.part\nmv {copy}.part {copy}\nhw_start\n\
             echo \"by $(du -sk {copy} | cut -f1) KiB kept in {copy}\"\n",
            name(host)
        ),
        undo: format!("{functions}rm -rf {copy} {copy}.part\nhw_start\n"),
        in_force: format!("{functions}[ -e {copy} ] && [ -n \"$(hw_pid)\" ]\n"),
        gone: format!("{functions}[ ! -e {copy} ] && [ -n \"$(hw_pid)\" ]\n"),
    }
}

/// The broker dies and comes back with its snapshot. It goes on from there, so that nothing is put back at the
/// undo, except for a broker that does not start, or a copy that was cut off: then what it had.
pub(super) fn restore(host: &HostSpec, id: &str, keep_metadata: bool) -> Procedure {
    let functions = functions(host, keep_metadata);
    let (data, state) = (quote(&host.data_dir), quote(&host.state_dir));
    let entry = quote(&format!("{}/{id}", host.state_dir));
    let name = name(host);
    Procedure {
        apply: format!(
            "set -e\n{functions}e={entry}\n{RUNNING}s=$(ls -d {state}/*/{name} 2>/dev/null | head -n 1)\n\
             [ -n \"$s\" ] || {{ echo 'there is no snapshot of this node (take one: highwater nemesis apply snapshot)' >&2; exit 78; }}\n\
             hw_fits {state} || exit 78\nhw_hold\nhw_kill $p\nhw_copy {data} $e/had.part\nmv $e/had.part $e/had\n\
             echo begun >$e/replacing; sync $e/replacing $e\n\
             before=$(hw_log_bytes {data}); hw_replace \"$s\"; after=$(hw_log_bytes {data})\nmv $e/replacing $e/replaced; sync $e\nhw_start\n\
             [ $after -ge $before ] || echo \"lost $((before-after))\"\necho \"by $s\"\n"
        ),
        undo: format!(
            "{functions}e={entry}\nif [ -e $e/replacing ]; then hw_replace $e/had || exit 1; rm $e/replacing; fi\n\
             hw_start && exit 0\n[ -e $e/had ] || exit 1\nhw_replace $e/had || exit 1\nhw_start\n"
        ),
        in_force: format!("{functions}[ -e {entry}/replaced ] && [ -n \"$(hw_pid)\" ]\n"),
        gone: format!("{functions}[ ! -e {entry}/replacing ] && [ -n \"$(hw_pid)\" ]\n"),
    }
}
