//! SIGINT and SIGTERM as messages: the first asks the run to stop, heal, drain, check and report; the
//! second to heal only.

use std::io;
use std::sync::mpsc::Sender;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// Delivers signals while it lives.
#[derive(Debug)]
pub(crate) struct SignalWatch {
    handle: Handle,
}

impl SignalWatch {
    /// Sends `wrap(signal)` to `sender` for every SIGINT and SIGTERM.
    pub(crate) fn start<T: Send + 'static>(
        sender: Sender<T>,
        wrap: impl Fn(i32) -> T + Send + 'static,
    ) -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let handle = signals.handle();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                if sender.send(wrap(signal)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { handle })
    }
}

impl Drop for SignalWatch {
    fn drop(&mut self) {
        self.handle.close();
    }
}
