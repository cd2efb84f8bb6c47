//! Faults of the broker's process. A process that is not there is an error: a fault that hits nobody would be
//! a green run that tried nothing.

use super::Procedure;
use super::spec::HostSpec;

/// Finds the process, or refuses.
pub(super) const RUNNING: &str =
    "p=$(hw_pid)\n[ -n \"$p\" ] || { echo 'the broker does not run: nobody to hit' >&2; exit 78; }\n";

/// Dies, and is kept down until the undo starts it.
pub(super) fn kill(host: &HostSpec, _id: &str) -> Procedure {
    let functions = host.functions();
    Procedure {
        apply: format!("{functions}{RUNNING}hw_hold\nhw_kill $p\n"),
        undo: format!("{functions}hw_start\n"),
        in_force: format!("{functions}[ -z \"$(hw_pid)\" ]\n"),
        gone: format!("{functions}[ -n \"$(hw_pid)\" ]\n"),
    }
}

/// Is told to stop, hands over what it leads, and is kept down until the undo starts it.
pub(super) fn stop(host: &HostSpec) -> Procedure {
    let functions = host.functions();
    Procedure {
        apply: format!("{functions}{RUNNING}hw_hold\nhw_stop $p\n"),
        undo: format!("{functions}hw_start\n"),
        in_force: format!("{functions}[ -z \"$(hw_pid)\" ]\n"),
        gone: format!("{functions}[ -n \"$(hw_pid)\" ]\n"),
    }
}

/// Dies and comes back: nothing is left to undo but a start that failed.
pub(super) fn restart(host: &HostSpec) -> Procedure {
    let functions = host.functions();
    Procedure {
        apply: format!("{functions}{RUNNING}hw_kill $p\nhw_start\n"),
        undo: format!("{functions}hw_start\n"),
        in_force: format!("{functions}[ -n \"$(hw_pid)\" ]\n"),
        gone: format!("{functions}[ -n \"$(hw_pid)\" ]\n"),
    }
}

/// Stops, and is continued. The state is that of the process, as the kernel tells it.
pub(super) fn pause(host: &HostSpec, _id: &str) -> Procedure {
    let functions = host.functions();
    let stopped = "grep -q '^State:.[Tt]' /proc/$p/status";
    Procedure {
        apply: format!("{functions}{RUNNING}kill -STOP $p\n"),
        undo: format!("{functions}p=$(hw_pid)\n[ -z \"$p\" ] || kill -CONT $p\n"),
        in_force: format!("{functions}p=$(hw_pid)\n[ -n \"$p\" ] && {stopped}\n"),
        gone: format!("{functions}p=$(hw_pid)\n[ -z \"$p\" ] || ! {stopped}\n"),
    }
}
