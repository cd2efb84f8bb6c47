//! Damage to the log files of a partition. The broker is stopped in an orderly way first (after a crash it
//! would read its logs again, and see the damage), and started upon what is left; the undo mends what can be
//! mended, and has the broker run. What the broker does about it is what one wants to know.

use super::Procedure;
use super::fault::LogName;
use super::process::RUNNING;
use super::spec::HostSpec;
use crate::node::quote;

/// The data directory may hold a log directory for itself, as where it is a mount point.
///
/// `hw_segment` names the newest segment that holds records: of one log, or of the log written last. Kafka's
/// own topics are left out of that choice.
fn segment(host: &HostSpec, log: Option<&LogName>) -> String {
    let data = quote(&host.data_dir);
    let find = match log {
        None => format!(
            "d=$(find {data}/ -mindepth 2 -maxdepth 3 -name '[0-9]*.log' -size +0c ! -path '*/__*' -printf '%T@ %h\\n' | sort -n | tail -n 1 | cut -d' ' -f2-)\n  \
             [ -n \"$d\" ] || {{ echo 'no log with records in' {data} >&2; return 1; }}"
        ),
        Some(LogName { topic, partition }) => {
            let name = quote(&format!("{topic}-{partition}"));
            format!(
                "for d in {data}/{name} {data}/*/{name}; do [ ! -d \"$d\" ] || break; done\n  \
                 [ -d \"$d\" ] || {{ echo \"there is no log $d\" >&2; return 1; }}"
            )
        }
    };
    format!(
        "hw_segment() {{\n  {find}\n  f=$(find \"$d\" -maxdepth 1 -name '[0-9]*.log' -size +0c | sort | tail -n 1)\n  \
         [ -n \"$f\" ] || {{ echo \"log $d holds no records\" >&2; return 1; }}\n  echo \"$f\"\n}}\n"
    )
}

/// The newest segment loses `bytes` bytes. They are kept until the broker has started without them: one that
/// does not is given them back.
pub(super) fn truncate(host: &HostSpec, id: &str, log: Option<&LogName>, bytes: u64) -> Procedure {
    let functions = format!("{}{}", host.functions(), segment(host, log));
    let entry = quote(&format!("{}/{id}", host.state_dir));
    Procedure {
        apply: format!(
            "set -e\n{functions}e={entry}\n{RUNNING}f=$(hw_segment) || exit 78\nhw_hold\nhw_stop $p\n\
             size=$(stat -c %s \"$f\"); cut={bytes}; [ $cut -le $size ] || cut=$size\n\
             tail -c $cut \"$f\" >$e/end; printf '%s\\n' \"$f\" $((size-cut)) >$e/cut; sync $e/end $e/cut $e\n\
             truncate -s $((size-cut)) \"$f\"; sync \"$f\"\nhw_start\necho \"lost $cut\"; echo \"by $cut bytes of $f\"\n"
        ),
        undo: format!(
            "{functions}e={entry}\nhw_start && exit 0\n[ -s $e/cut ] || exit 1\n{{ read -r f; read -r size; }} <$e/cut\n\
             [ \"$(stat -c %s \"$f\")\" != \"$size\" ] || cat $e/end >>\"$f\"\nhw_start\n"
        ),
        in_force: format!("{functions}[ -s {entry}/cut ] && [ -n \"$(hw_pid)\" ]\n"),
        gone: format!("{functions}[ -n \"$(hw_pid)\" ]\n"),
    }
}

/// One bit of the newest segment is turned, at a place drawn from `seed`. The undo turns it back if it is still
/// there amid the bytes it stood among; a broker that has cut or rewritten them has mended it by itself. One that
/// `stays` is turned back only for a broker that does not start with it.
pub(super) fn flip_bit(
    host: &HostSpec,
    id: &str,
    log: Option<&LogName>,
    seed: u64,
    stays: bool,
) -> Procedure {
    let damage = format!(
        "hw_around() {{\n  od -An -v -tx1 -j \"$2\" -N 65 \"$1\" 2>/dev/null | tr -d ' \\n'\n}}\n\
         hw_put() {{\n  printf \"\\\\$(printf %03o $3)\" | dd of=\"$1\" bs=1 seek=\"$2\" conv=notrunc,fsync 2>/dev/null\n}}\n\
         hw_damaged() {{\n  [ -s {about} ] || return 1\n  {{ read -r f; read -r at; read -r old; read -r from; read -r around; }} <{about}\n  \
         [ -e \"$f\" ] && [ \"$(hw_around \"$f\" $from)\" = \"$around\" ]\n}}\n",
        about = quote(&format!("{}/{id}/bit", host.state_dir))
    );
    let about = quote(&format!("{}/{id}/bit", host.state_dir));
    let functions = format!("{}{}{damage}", host.functions(), segment(host, log));
    // What shells count with is signed.
    let place = seed >> 4;
    let bit = 1_u32 << (seed & 7);
    let mend = "if hw_damaged; then hw_put \"$f\" $at $old || exit 1; fi";
    let (undo, gone) = if stays {
        (format!("hw_start && exit 0\n{mend}\nhw_start\n"), "")
    } else {
        (format!("{mend}\nhw_start\n"), "! hw_damaged && ")
    };
    Procedure {
        apply: format!(
            "set -e\n{functions}{RUNNING}f=$(hw_segment) || exit 78\nhw_hold\nhw_stop $p\n\
             size=$(stat -c %s \"$f\"); at=$(({place} % size)); from=$((at > 32 ? at-32 : 0))\n\
             old=$(od -An -tu1 -j $at -N 1 \"$f\" | tr -d ' '); new=$((old ^ {bit}))\n\
             cp \"$f\" {about}.try; hw_put {about}.try $at $new\n\
             printf '%s\\n' \"$f\" $at $old $from \"$(hw_around {about}.try $from)\" >{about}; rm {about}.try; sync {about}\n\
             hw_put \"$f\" $at $new\nhw_start\necho \"by bit {bit} of byte $at of $f\"; echo 'touched 0 1'\n"
        ),
        undo: format!("{functions}{undo}"),
        in_force: format!("{functions}hw_damaged && [ -n \"$(hw_pid)\" ]\n"),
        gone: format!("{functions}{gone}[ -n \"$(hw_pid)\" ]\n"),
    }
}
