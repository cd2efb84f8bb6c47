//! A broker as a server: recover, listen, register, serve, and write down what a restart needs.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use wire::node::BrokerSpec;

use super::engine::Host;
use super::error::ServeError;
use super::janitor::Janitor;
use super::node::{self, Ending, Orders, Stop};
use super::orders::{self, WallClock};
use super::report::Reporter;
use super::storage::{self, Logs, StorageError};
use super::{clean, clock, connection, uplink};
use crate::core::settings::Settings;
use crate::core::{Broker, BrokerConfig, Input};
use crate::flaws::Flaw;

const TICK: Duration = Duration::from_millis(10);
/// How long a broker that is told to end waits for others to lead what it leads.
const HANDOVER: Duration = Duration::from_secs(2);
/// How long the last answers have to leave.
const LAST_WORDS: Duration = Duration::from_millis(20);

/// Serves until told to stop, or until storage fails.
pub(super) async fn serve(
    spec: BrokerSpec,
    reporter: &Rc<Reporter>,
    mut stop: Stop,
    mut orders: Orders,
) -> Result<(), ServeError> {
    let settings = Settings::new(&spec.settings)?;
    let flaw = match &spec.flaw {
        Some(name) => Some(Flaw::by_name(name).ok_or_else(|| ServeError::Flaw(name.clone()))?),
        None => None,
    };
    let lock = storage::lock(&spec.data)?;
    let previous_epoch = clean::take(&spec.data)?;
    let (logs, recovered) =
        Logs::open(&spec.data, lock, previous_epoch.is_some(), |note| reporter.log(note))?;
    let (listener, bound) = node::listen(spec.listen, reporter).await?;
    let advertised = spec.advertised.unwrap_or(bound);
    let config = BrokerConfig {
        node: spec.node_id,
        incarnation: clock::fresh_id(spec.node_id, 0),
        host: advertised.ip().to_string(),
        port: advertised.port(),
        wall_offset_ms: clock::wall_offset_ms(),
        settings: settings.clone(),
        previous_epoch: previous_epoch.unwrap_or(-1),
        flaw,
    };
    let checkpoint_ms = settings.number("replica.high.watermark.checkpoint.interval.ms");
    let recovery_ms = settings.number("log.flush.offset.checkpoint.interval.ms");
    let mut janitor = Janitor::new(&settings);
    // An answer takes a disk write of the controller; a third of a session leaves time to connect again.
    let session_ms = settings.number("broker.session.timeout.ms");
    let silence = Duration::from_millis((session_ms / 3).clamp(300, 1_000));
    let mut wall = WallClock::right();
    let controller = spec.controller;
    let core = Broker::new(config, recovered);
    let host = Host::new(spec, settings, Rc::clone(reporter), core, logs);
    tokio::task::spawn_local(uplink::keep(Rc::clone(&host), controller, silence));
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Set once the broker is to end: until then at the latest others must lead what it leads.
    let mut give_up: Option<Instant> = None;
    let mut checkpoint_at = clock::millis() + checkpoint_ms;
    let mut recovery_at = clock::millis() + recovery_ms;
    loop {
        tokio::select! {
            ending = stop.wait(), if give_up.is_none() => {
                if ending == Ending::Abrupt {
                    return Ok(());
                }
                let asks = host.settings.get("controlled.shutdown.enable") == "true" && host.is_linked();
                if asks {
                    host.step(Input::ShutDown);
                }
                let patience = if asks { HANDOVER } else { Duration::ZERO };
                give_up = Some(Instant::now() + patience);
            }
            () = host.may_end.notified(), if give_up.is_some() => return end(&host).await,
            () = sleep_until(give_up.unwrap_or_else(Instant::now)), if give_up.is_some() => return end(&host).await,
            () = host.failed.notified() => return host.failure().map_or(Ok(()), |error| Err(error.into())),
            // Until it is registered it knows of no broker and no topic, and would say so to clients, which then
            // forget the others: connections wait, as they do for Kafka's request processing.
            accepted = listener.accept(), if host.knows_cluster() => {
                match accepted {
                    // Where there is no room, the connection is closed at once.
                    Ok((stream, _)) => {
                        if let Some(leave) = host.limits.connect() {
                            connection::serve(Rc::clone(&host), stream, leave);
                        }
                    }
                    // Out of file descriptors, most likely; trying at once would only burn the processor.
                    Err(_) => sleep(TICK).await,
                }
            }
            Some(order) = orders.recv() => {
                reporter.log(format_args!("told: {order:?}"));
                reporter.event(&orders::obey(&host, &mut wall, order));
            }
            _ = ticks.tick() => {
                let now_ms = clock::millis();
                wall.tick(&host, now_ms);
                host.step(Input::Tick);
                let mut outcome = host.with(|engine| engine.logs.tick(now_ms));
                if now_ms >= checkpoint_at {
                    checkpoint_at = now_ms + checkpoint_ms;
                    outcome = outcome.and_then(|()| {
                        host.with(|engine| engine.logs.checkpoint(engine.core.high_watermarks()))
                    });
                }
                if now_ms >= recovery_at {
                    recovery_at = now_ms + recovery_ms.max(1);
                    outcome = outcome.and_then(|()| {
                        host.with(|engine| engine.logs.checkpoint_recovery())
                    });
                }
                if let Err(error) = outcome.and_then(|()| janitor.tick(&host, now_ms)) {
                    host.fail(error);
                }
            }
        }
    }
}

/// Ends in good order: everything synced, producers, recovery points and high watermarks written down, and then
/// that this was so.
async fn end(host: &Host) -> Result<(), ServeError> {
    sleep(LAST_WORDS).await;
    let epoch = host.with(|engine| {
        engine.logs.sync()?;
        for (key, _) in engine.core.high_watermarks() {
            if let Some(snapshot) = engine.core.producer_snapshot(key) {
                engine.logs.keep(key, &snapshot)?;
            }
        }
        engine.logs.checkpoint_recovery()?;
        engine.logs.checkpoint(engine.core.high_watermarks())?;
        Ok::<_, StorageError>(engine.core.epoch())
    })?;
    if let Some(epoch) = epoch {
        clean::leave(&host.spec.data, epoch)?;
    }
    Ok(())
}
