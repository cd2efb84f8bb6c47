//! How a fault asks the cluster for something: the executor asks, the conductor passes it on to the admin actor
//! and its answer back, and waits for neither.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use history::{NodeId, Partition, clock};
use nemesis::{Administrator, Election, FaultError, Placement, View};
use targets::actors::protocol::{AdminReply, AdminRequest};

use super::backstage::Backstage;
use super::conductor::millis;
use super::message::Message;

/// How long the cluster may take over a request.
const WITHIN: Duration = Duration::from_secs(5);
/// The same while other faults are in force, which may be what keeps it.
const HURRIED: Duration = Duration::from_secs(1);
/// How long it may then take to show.
const SHOWN_HURRIED: Duration = Duration::from_secs(3);
/// What an answer may take on its way, and while the actor is busy with other requests.
const MARGIN: Duration = Duration::from_secs(20);
/// How often what was granted is looked for.
const LOOK: Duration = Duration::from_millis(100);

/// A request for the admin actor, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Inquiry {
    pub(crate) request: AdminRequest,
    pub(crate) reply: Sender<AdminReply>,
}

const LOOKING: &str = "look at the topic";

impl Backstage {
    /// How long the cluster may take over a request, in milliseconds.
    fn within_ms(&self) -> u64 {
        millis(if self.hurried { HURRIED } else { WITHIN })
    }

    /// How long may be waited for what was granted to show.
    fn patience(&self, within: Duration) -> Duration {
        if self.hurried { within.min(SHOWN_HURRIED) } else { within }
    }

    fn inquire(&self, action: &'static str, request: AdminRequest) -> Result<AdminReply, FaultError> {
        let failed = |reason: String| FaultError::Administration { action, reason };
        let (reply, answer) = channel();
        // A run that is gone drops the question, and with it the other end of the answer.
        let _ = self.messages.send(Message::Administration(Inquiry { request, reply }));
        match answer.recv_timeout(WITHIN + MARGIN) {
            Ok(AdminReply::Failed { reason, .. }) => Err(failed(reason)),
            Ok(reply) => Ok(reply),
            Err(_) => Err(failed("the admin actor did not answer in time (see its log)".to_owned())),
        }
    }

    fn view(&self) -> Result<View, FaultError> {
        let request = AdminRequest::View { record: self.records, timeout_ms: self.within_ms() };
        let AdminReply::View { brokers, partitions } = self.inquire(LOOKING, request)? else {
            return Err(unexpected(LOOKING));
        };
        let placements = partitions.into_iter().map(|view| Placement {
            partition: view.partition,
            leader: view.leader,
            isr: view.isr,
            replicas: view.replicas,
        });
        Ok(View { brokers, placements: placements.collect() })
    }

    fn read(
        &self,
        action: &'static str,
        request: AdminRequest,
    ) -> Result<BTreeMap<String, String>, FaultError> {
        match self.inquire(action, request)? {
            AdminReply::Settings { settings } => Ok(settings),
            _ => Err(unexpected(action)),
        }
    }
}

fn unexpected(action: &'static str) -> FaultError {
    FaultError::Administration { action, reason: "the admin actor answered something else".to_owned() }
}

/// Tries again until it is so, or the time is over; what it was last.
fn again<T>(
    within: Duration,
    mut look: impl FnMut() -> Result<(bool, T), FaultError>,
) -> Result<T, FaultError> {
    let begun = clock::now();
    loop {
        let looked = look();
        let late = Duration::from_nanos(clock::now().since(begun)) >= within;
        match looked {
            Ok((met, last)) if met || late => return Ok(last),
            // Nobody answers for a while, where brokers are broken too.
            Err(error) if late => return Err(error),
            _ => thread::sleep(LOOK),
        }
    }
}

impl Administrator for Backstage {
    fn await_view(&self, fits: &dyn Fn(&View) -> bool, within: Duration) -> Result<View, FaultError> {
        again(self.patience(within), || self.view().map(|view| (fits(&view), view)))
    }

    fn reassign(&self, partition: Partition, replicas: &[NodeId]) -> Result<(), FaultError> {
        let replicas = replicas.to_vec();
        let request = AdminRequest::Reassign { partition, replicas, timeout_ms: self.within_ms() };
        self.inquire("reassign replicas", request).map(drop)
    }

    fn elect(&self, election: Election, partitions: &[Partition]) -> Result<(), FaultError> {
        let (unclean, partitions) = (election == Election::Unclean, partitions.to_vec());
        let request = AdminRequest::Elect { unclean, partitions, timeout_ms: self.within_ms() };
        self.inquire("have leaders elected", request).map(drop)
    }

    fn add_partitions(&self, total: u32) -> Result<(), FaultError> {
        let request = AdminRequest::AddPartitions { total, timeout_ms: self.within_ms() };
        self.inquire("add partitions", request).map(drop)
    }

    fn settings(&self) -> Result<BTreeMap<String, String>, FaultError> {
        self.read(LOOKING, AdminRequest::DescribeTopic { timeout_ms: self.within_ms() })
    }

    fn own_settings(&self) -> Result<BTreeMap<String, String>, FaultError> {
        self.read(LOOKING, AdminRequest::OwnSettings { timeout_ms: self.within_ms() })
    }

    fn alter(&self, name: &str, value: Option<&str>) -> Result<(), FaultError> {
        let (name, value) = (name.to_owned(), value.map(str::to_owned));
        let request = AdminRequest::AlterTopic { name, value, timeout_ms: self.within_ms() };
        self.inquire("change a setting of the topic", request).map(drop)
    }

    fn await_setting(&self, name: &str, value: &str, within: Duration) -> Result<bool, FaultError> {
        again(self.patience(within), || {
            let met = self.settings()?.get(name).is_some_and(|now| now == value);
            Ok((met, met))
        })
    }
}
