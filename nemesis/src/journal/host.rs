//! The host's part of the journal, as shell: a folder per fault with its undo, what proves it gone, its lease
//! and its dead-man timer. The timer counts its own seconds and looks only whether the lease has changed, so
//! that a clock that jumps neither fires nor disarms it. Apply and undo hold one lock, and who has applied
//! renews the lease: a fault that takes long to apply is in force for its whole time all the same.

use crate::host::Procedure;
use crate::node::quote;

/// How long a lock is waited for, in seconds.
const LOCK_S: u32 = 60;

/// What a script exits with that refused before it touched anything.
const REFUSED: i32 = 78;

/// Ends a here-document: no script of ours has such a line.
const END: &str = "HIGHWATER_END_OF_FILE";

/// Runs a script while it holds the host's lock.
fn locked(state_dir: &str, script: &str) -> String {
    format!("flock -o -w {LOCK_S} {}/lock sh -c {}", quote(state_dir), quote(script))
}

/// The folder of faults; it must be ours, since what lies in it is run as root.
fn folder(state_dir: &str) -> String {
    let dir = quote(state_dir);
    format!(
        "umask 077\nmkdir -p {dir}\n[ -O {dir} ] && [ ! -L {dir} ] || {{ echo \"{dir} belongs to somebody else\" >&2; exit 78; }}\n\
         command -v flock >/dev/null || {{ echo 'flock is not there (install util-linux)' >&2; exit 1; }}\n"
    )
}

/// Puts a fault on the host's record, starts its timer and applies it; what fails half way is undone at once.
pub(super) fn arm(state_dir: &str, id: &str, about: &str, procedure: &Procedure, lease_s: u32) -> String {
    let entry = format!("{state_dir}/{id}");
    let e = quote(&entry);
    let heal = locked(
        state_dir,
        &format!(
            "[ -d {e} ] || exit 0\n[ -z \"$1\" ] || [ \"$(cat {e}/lease)\" = \"$1\" ] || exit 75\nsh {e}/undo.sh >{e}/out 2>{e}/log\n\
             if sh {e}/gone.sh >>{e}/log 2>&1; then cat {e}/out; rm -rf {e}; else cat {e}/log >&2; echo 'it is still in force after its undo' >&2; exit 1; fi"
        ),
    );
    let watch = format!(
        "left={lease_s}; last=\nwhile [ -d {e} ]; do\n  now=$(cat {e}/lease 2>/dev/null)\n  \
         if [ \"$now\" != \"$last\" ]; then last=$now; left={lease_s}; fi\n  \
         if [ $left -le 0 ]; then\n    sh {e}/heal.sh \"$last\" >/dev/null 2>{e}/dead-man.log && exit 0\n    left=5\n  fi\n  \
         sleep 1; left=$((left-1))\ndone\n"
    );
    let applying = locked(
        state_dir,
        // What it tells goes by way of a file: nobody may be there any more to hear it, and that is no failure of it.
        &format!(
            "[ -d {e} ] || exit 1\nsh {e}/apply.sh >{e}/told; code=$?\ncat {e}/told 2>/dev/null\n[ $code = 0 ] || exit $code\necho applied >{e}/lease"
        ),
    );
    let mut text = folder(state_dir);
    text += &format!("mkdir {e} || exit 1\n");
    for (name, content) in [
        ("about", format!("{about}\n").as_str()),
        ("apply.sh", &procedure.apply),
        ("undo.sh", &procedure.undo),
        ("gone.sh", &procedure.gone),
        // The timer names the lease that ran out: one that was renewed while it waited for the lock goes on.
        ("heal.sh", &format!("{heal} heal \"$1\"\n")),
        ("watch.sh", &watch),
        ("lease", "armed\n"),
    ] {
        text += &format!("cat >{e}/{name} <<'{END}'\n{content}{END}\n");
    }
    text += &format!("sync {e}/* {e} {}\n", quote(state_dir));
    // A log-in session that ends may take its processes along, so systemd keeps the timer where it runs this
    // very machine; inside namespaces of its own it would be started in the wrong ones.
    text += &format!(
        "if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null && [ \"$(readlink /proc/1/ns/mnt)\" = \"$(readlink /proc/self/ns/mnt)\" ] && [ \"$(readlink /proc/1/ns/net)\" = \"$(readlink /proc/self/ns/net)\" ]; then\n  \
         systemd-run --quiet --collect -p KillMode=process sh {e}/watch.sh || {{ rm -rf {e}; exit 1; }}\nelse\n  \
         setsid nohup sh {e}/watch.sh </dev/null >/dev/null 2>&1 &\nfi\n\
         {applying} </dev/null\ncode=$?\ncase $code in 0) ;; {REFUSED}) rm -rf {e};; *) sh {e}/heal.sh >/dev/null || true;; esac\nexit $code\n"
    );
    text
}

/// Undoes a fault and proves it gone, whether or not the host still has it on record.
pub(super) fn heal(state_dir: &str, id: &str, undo: &str, gone: &str) -> String {
    let e = quote(&format!("{state_dir}/{id}"));
    let by_hand = locked(
        state_dir,
        &format!(
            "sh -c {gone} >/dev/null 2>&1 && {{ echo already; exit 0; }}\nsh -c {undo}\nsh -c {gone} || {{ echo 'it is still in force after its undo' >&2; exit 1; }}",
            undo = quote(undo),
            gone = quote(gone)
        ),
    );
    format!("{}if [ -d {e} ]; then sh {e}/heal.sh; else {by_hand}; fi\n", folder(state_dir))
}

/// Renews the leases of the faults whose ids begin so.
pub(super) fn renew(state_dir: &str, prefix: &str, tick: u64) -> String {
    format!(
        "for l in {}/{}*/lease; do if [ -e \"$l\" ]; then echo {tick} >\"$l\"; fi; done\n",
        quote(state_dir),
        quote(prefix)
    )
}

/// Lists the faults on the host's record: id and what it is, a line each.
pub(super) fn list(state_dir: &str) -> String {
    format!(
        "for a in {}/*/about; do if [ -e \"$a\" ]; then d=${{a%/about}}; printf '%s\\t%s\\n' \"${{d##*/}}\" \"$(cat \"$a\")\"; fi; done\n",
        quote(state_dir)
    )
}
