//! What faults left on a host though nobody is there to undo it: a record whose timer is gone (the host was
//! started anew), and what carries our tag without a record.

use super::operate::{LOOK, WITHIN, as_root};
use crate::host::{HostSpec, NETWORK_TAGS, SHAPING};
use crate::node::{Node, NodeError, quote};

/// What carries our tag is looked for before its owners are: whatever is being applied just now is on record
/// already, and what is being undone is gone.
fn script(host: &HostSpec, remove: bool) -> String {
    let (state, data) = (quote(&host.state_dir), quote(&host.data_dir));
    let (chain, handle) = NETWORK_TAGS;
    let remove = u8::from(remove);
    let shaping = SHAPING.join("|");
    format!(
        "remove={remove}; ids=; shaped=; timers=
chains=$(for t in iptables ip6tables; do command -v $t >/dev/null && $t -w 5 -S 2>/dev/null | sed -n \"s/^-N \\({chain}.*\\)$/$t \\1/p\"; done)
devs=$(tc qdisc show 2>/dev/null | sed -n 's/^qdisc htb {handle} dev \\([^ ]*\\) .*/\\1/p')
m=$(findmnt -n -o TARGET --target {data} 2>/dev/null)
files=$([ -z \"$m\" ] || find \"$m\" -maxdepth 1 -name '.highwater-*')
units=$(ls /run/systemd/system/*.d/zz-highwater.conf 2>/dev/null)
for c in $(grep -ls 'watch\\.sh' /proc/[0-9]*/cmdline 2>/dev/null); do
  w=$(tr '\\0' '\\n' <$c 2>/dev/null | sed -n 's,^\\(/.*\\)/watch\\.sh$,\\1,p' 2>/dev/null)
  [ -z \"$w\" ] || timers=\"$timers $w\"
done
for e in $timers {state}/*; do
  [ -e \"$e/about\" ] || continue
  ids=\"$ids ${{e##*/}}\"
  case $(cat \"$e/about\") in {shaping}) shaped=1;; esac
done
hw_known() {{
  for i in $ids; do [ \"$1\" != \"$i\" ] && [ \"$1\" != \"$(printf %s \"$i\" | tr -cd 'a-zA-Z0-9' | cut -c1-18)\" ] || return 0; done
  return 1
}}
for a in {state}/*/about; do
  [ -e \"$a\" ] || continue
  e=${{a%/about}}
  case \" $timers \" in *\" $e \"*) continue;; esac
  echo \"$(cat $a) (${{e##*/}}), whose timer is gone\"
  [ $remove = 0 ] || sh $e/heal.sh >/dev/null || exit 1
done
echo \"$chains\" | while read -r t c; do
  if [ -z \"$c\" ] || hw_known \"${{c#{chain}}}\"; then continue; fi
  echo \"chain $c of $t\"
  [ $remove = 1 ] || continue
  for hook in INPUT OUTPUT; do while $t -w 5 -D $hook -j $c 2>/dev/null; do :; done; done
  $t -w 5 -F $c && $t -w 5 -X $c || exit 1
done || exit 1
[ -n \"$shaped\" ] || for d in $devs; do
  echo \"qdisc {handle} of $d\"
  [ $remove = 0 ] || tc qdisc del dev $d root handle {handle} || exit 1
done
for f in $files; do
  i=${{f##*/.highwater-}}
  if hw_known \"${{i%.try}}\"; then continue; fi
  echo \"file $f\"
  [ $remove = 0 ] || rm -f \"$f\" || exit 1
done
[ -n \"$ids\" ] || for u in $units; do
  echo \"drop-in $u\"
  [ $remove = 0 ] || {{ rm -f \"$u\" && systemctl daemon-reload; }} || exit 1
done
exit 0
"
    )
}

/// What was left on a host, in words; removed, if asked to. Nothing that a living timer or a record owns is
/// touched, nor what does not carry our tag.
///
/// # Errors
/// If the host cannot be asked, or something cannot be removed.
pub fn leftovers(node: &dyn Node, host: &HostSpec, remove: bool) -> Result<Vec<String>, NodeError> {
    let script = script(host, remove);
    let (what, within) = if remove { ("remove leftovers", WITHIN) } else { ("look for leftovers", LOOK) };
    let said = node.script(&as_root(what, &script, within))?;
    Ok(said.lines().map(str::to_owned).collect())
}
