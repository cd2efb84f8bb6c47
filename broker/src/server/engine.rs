//! The core and everything its outputs touch, in one place on one thread: a step goes in, and before it
//! returns logs are written, answers are on their way and messages queued.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, oneshot};
use wire::node::{BrokerSpec, NodeEvent};

use super::clock;
use super::errands::Links;
use super::limits::Limits;
use super::peers;
use super::report::Reporter;
use super::storage::{LogSettings, Logs, StorageError};
use crate::core::settings::Settings;
use crate::core::{
    AdminAnswer, AdminOp, Broker, BrokerEvent, ClusterImage, Errand, FetchRequest, FetchResult, GroupAnswer,
    GroupRequest, Input, MarkerOrder, NO_LEADER, Output, PartitionKey, PeerRequest, ProducePartition,
    ProduceRequest, ProduceResult, Refusal, RequestId, ToController, TopicImage, TxnAnswer, TxnAsk,
    TxnManner, TxnRequest,
};

/// The answer to a fetch, with the bytes of each partition.
pub(super) type Fetched = Vec<(FetchResult, Bytes)>;

/// A fetch to send to another broker.
pub(super) struct Order {
    pub(super) correlation: u64,
    pub(super) request: FetchRequest,
}

/// Why the controller did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// It said no.
    Refused(Refusal),
    /// There is no connection: nothing was asked.
    Unreachable,
    /// No answer came: it may have been done.
    Unknown,
}

/// A broker as its connections see it.
pub(super) struct Host {
    pub(super) spec: BrokerSpec,
    pub(super) settings: Settings,
    pub(super) limits: Limits,
    /// Something failed for good.
    pub(super) failed: Notify,
    /// The controller has given away what was led here.
    pub(super) may_end: Notify,
    failure: RefCell<Option<StorageError>>,
    reporter: Rc<Reporter>,
    engine: RefCell<Engine>,
    ready: Cell<bool>,
    sources: RefCell<HashMap<i32, mpsc::UnboundedSender<Order>>>,
    links: Links,
}

/// What a step may change.
pub(super) struct Engine {
    pub(super) core: Broker,
    pub(super) logs: Logs,
    /// Producer ids reserved and not given out.
    pub(super) producer_ids: std::ops::Range<i64>,
    out: Vec<Output>,
    last_request: u64,
    produces: HashMap<RequestId, oneshot::Sender<Vec<ProduceResult>>>,
    fetches: HashMap<RequestId, oneshot::Sender<Fetched>>,
    groups: HashMap<RequestId, oneshot::Sender<GroupAnswer>>,
    transactions: HashMap<RequestId, oneshot::Sender<TxnAnswer>>,
    /// Requests that this broker has made of itself.
    errands: HashMap<RequestId, Errand>,
    /// What this step brings about here, for the steps right after it: bytes that were to be read, requests to
    /// this broker itself and the answers to them.
    next: VecDeque<Input>,
    /// What is to be asked of other brokers.
    questions: Vec<(i32, Errand, PeerRequest)>,
    uplink: Option<mpsc::UnboundedSender<ToController>>,
    last_admin: u64,
    admin: HashMap<u64, oneshot::Sender<Result<AdminAnswer, Refusal>>>,
    orders: Vec<(i32, Order)>,
    /// Version of the metadata whose settings the logs have.
    configured: u64,
}

impl Host {
    pub(super) fn new(
        spec: BrokerSpec,
        settings: Settings,
        reporter: Rc<Reporter>,
        core: Broker,
        logs: Logs,
    ) -> Rc<Self> {
        let engine = Engine {
            core,
            logs,
            producer_ids: 0..0,
            out: Vec::new(),
            last_request: 0,
            produces: HashMap::new(),
            fetches: HashMap::new(),
            groups: HashMap::new(),
            transactions: HashMap::new(),
            errands: HashMap::new(),
            next: VecDeque::new(),
            questions: Vec::new(),
            uplink: None,
            last_admin: 0,
            admin: HashMap::new(),
            orders: Vec::new(),
            configured: 0,
        };
        Rc::new(Self {
            spec,
            settings,
            limits: Limits::new(),
            failed: Notify::new(),
            may_end: Notify::new(),
            failure: RefCell::new(None),
            reporter,
            engine: RefCell::new(engine),
            ready: Cell::new(false),
            sources: RefCell::default(),
            links: Links::default(),
        })
    }

    pub(super) fn log(&self, line: impl std::fmt::Display) {
        self.reporter.log(line);
    }

    /// The metadata of the cluster, as far as this broker knows it.
    pub(super) fn image(&self) -> Arc<ClusterImage> {
        Arc::clone(self.engine.borrow().core.image())
    }

    /// The settings in force: what it was started with, and what was changed since.
    pub(super) fn settings_now(&self) -> Settings {
        self.engine.borrow().core.settings().clone()
    }

    /// Looks at, or changes, what a step may change. Not to be nested.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Engine) -> T) -> T {
        f(&mut self.engine.borrow_mut())
    }

    /// One step. After a failure nothing happens any more: no answer may rest on a write that failed.
    pub(super) fn step(self: &Rc<Self>, input: Input) {
        if self.failure.borrow().is_some() {
            return;
        }
        let mut engine = self.engine.borrow_mut();
        let outcome = engine.step(input, self);
        let orders = std::mem::take(&mut engine.orders);
        let questions = std::mem::take(&mut engine.questions);
        drop(engine);
        if let Err(error) = outcome {
            self.fail(error);
            return;
        }
        for (node, order) in orders {
            let mut sources = self.sources.borrow_mut();
            let source = sources.entry(node).or_insert_with(|| peers::follow(Rc::clone(self), node));
            let _ = source.send(order);
        }
        for (node, errand, request) in questions {
            self.links.ask(self, node, errand, request);
        }
    }

    /// Ends the broker.
    pub(super) fn fail(&self, error: StorageError) {
        self.failure.borrow_mut().get_or_insert(error);
        self.failed.notify_one();
    }

    pub(super) fn failure(&self) -> Option<StorageError> {
        self.failure.borrow_mut().take()
    }

    /// Where another broker is reached.
    pub(super) fn address(&self, node: i32) -> Option<SocketAddr> {
        if let Some(address) = self.spec.peers.get(&node) {
            return Some(*address);
        }
        let image = self.image();
        let broker = image.brokers.get(&node)?;
        Some(SocketAddr::new(broker.host.parse().ok()?, broker.port))
    }

    /// Appends, and says later what became of it.
    pub(super) fn produce(
        self: &Rc<Self>,
        acks: i16,
        timeout_ms: u64,
        transaction: Option<(String, TxnManner)>,
        partitions: Vec<ProducePartition>,
    ) -> oneshot::Receiver<Vec<ProduceResult>> {
        let (id, receiver) = self.await_append();
        let request = ProduceRequest { id, acks, timeout_ms, transaction, partitions };
        self.step(Input::Produce(request));
        receiver
    }

    /// Writes markers, and says later what became of them: a result for every partition, in order.
    pub(super) fn write_markers(
        self: &Rc<Self>,
        orders: Vec<MarkerOrder>,
    ) -> oneshot::Receiver<Vec<ProduceResult>> {
        let (id, receiver) = self.await_append();
        self.step(Input::WriteMarkers { id, orders });
        receiver
    }

    fn await_append(&self) -> (RequestId, oneshot::Receiver<Vec<ProduceResult>>) {
        let (sender, receiver) = oneshot::channel();
        let id = self.with(|engine| {
            let id = engine.next_request();
            engine.produces.insert(id, sender);
            id
        });
        (id, receiver)
    }

    /// Asks the coordinator of a transactional id, if it is here; `None` if the broker ends.
    pub(super) fn ask_transaction(
        self: &Rc<Self>,
        request: TxnRequest,
    ) -> impl Future<Output = Option<TxnAnswer>> + use<> {
        let (sender, receiver) = oneshot::channel();
        let id = self.with(|engine| {
            let id = engine.next_request();
            engine.transactions.insert(id, sender);
            id
        });
        self.step(Input::Transaction { id, request });
        async move { receiver.await.ok() }
    }

    /// Fetches, now or when there is something.
    pub(super) fn fetch(self: &Rc<Self>, request: FetchRequest) -> Waiting {
        let (sender, receiver) = oneshot::channel();
        let id = self.with(|engine| {
            let id = engine.next_request();
            engine.fetches.insert(id, sender);
            id
        });
        self.step(Input::Fetch { id, request });
        Waiting { host: Rc::clone(self), id, receiver }
    }

    /// Asks the coordinator of a group, if it is here; `None` if the broker ends.
    pub(super) fn ask_group(
        self: &Rc<Self>,
        request: GroupRequest,
    ) -> impl Future<Output = Option<GroupAnswer>> + use<> {
        let (sender, receiver) = oneshot::channel();
        let id = self.with(|engine| {
            let id = engine.next_request();
            engine.groups.insert(id, sender);
            id
        });
        self.step(Input::Group { id, request: Box::new(request) });
        async move { receiver.await.ok() }
    }

    /// Asks the controller.
    pub(super) async fn administer(&self, op: AdminOp) -> Result<AdminAnswer, Unanswered> {
        let receiver = self.with(|engine| {
            let uplink = engine.uplink.as_ref()?;
            engine.last_admin += 1;
            let request = engine.last_admin;
            uplink.send(ToController::Admin { request, op }).ok()?;
            let (sender, receiver) = oneshot::channel();
            engine.admin.insert(request, sender);
            Some(receiver)
        });
        let Some(receiver) = receiver else { return Err(Unanswered::Unreachable) };
        match receiver.await {
            Ok(result) => result.map_err(Unanswered::Refused),
            Err(_) => Err(Unanswered::Unknown),
        }
    }

    pub(super) fn admin_answered(&self, request: u64, result: Result<AdminAnswer, Refusal>) {
        if let Some(sender) = self.with(|engine| engine.admin.remove(&request)) {
            let _ = sender.send(result);
        }
    }

    /// Whether there is a connection to the controller.
    pub(super) fn is_linked(&self) -> bool {
        self.with(|engine| engine.uplink.is_some())
    }

    /// Whether it has been told anything of the cluster since it started.
    pub(super) fn knows_cluster(&self) -> bool {
        self.with(|engine| engine.core.image().version > 0)
    }

    pub(super) fn link_up(self: &Rc<Self>, sender: mpsc::UnboundedSender<ToController>) {
        self.with(|engine| engine.uplink = Some(sender));
        self.step(Input::ControllerUp);
    }

    pub(super) fn link_down(self: &Rc<Self>) {
        self.with(|engine| {
            engine.uplink = None;
            engine.admin.clear();
        });
        self.step(Input::ControllerDown);
    }

    fn tell(&self, image: &ClusterImage, event: &BrokerEvent) {
        match key_of(event).and_then(|key| Some((key, image.topic(key.topic)?.0))) {
            // People know topics by name.
            Some((key, name)) => {
                let text = event.to_string();
                self.log(text.replacen(&key.to_string(), &format!("{name}-{}", key.partition), 1));
            }
            None => self.log(event),
        }
        if *event == BrokerEvent::MayEnd {
            self.may_end.notify_one();
        }
        if *event == BrokerEvent::Fenced(false) && !self.ready.replace(true) {
            self.reporter.event(&NodeEvent::Ready);
        }
    }
}

fn key_of(event: &BrokerEvent) -> Option<PartitionKey> {
    match event {
        BrokerEvent::Leads { key, .. }
        | BrokerEvent::Follows { key, .. }
        | BrokerEvent::Truncated { key, .. }
        | BrokerEvent::Isr { key, .. }
        | BrokerEvent::IsrRefused { key, .. } => Some(*key),
        BrokerEvent::MayEnd
        | BrokerEvent::Registered { .. }
        | BrokerEvent::RegistrationRefused { .. }
        | BrokerEvent::Fenced(_) => None,
    }
}

impl Engine {
    fn next_request(&mut self) -> RequestId {
        self.last_request += 1;
        RequestId(self.last_request)
    }

    fn step(&mut self, input: Input, host: &Host) -> Result<(), StorageError> {
        let now_ms = clock::millis();
        let mut out = std::mem::take(&mut self.out);
        self.core.step(now_ms, input, &mut out);
        let mut outcome = out.drain(..).try_for_each(|output| self.execute(output, now_ms, host));
        // What a new coordinator reads comes before anything else can happen.
        while let (Ok(()), Some(next)) = (&outcome, self.next.pop_front()) {
            self.core.step(now_ms, next, &mut out);
            outcome = out.drain(..).try_for_each(|output| self.execute(output, now_ms, host));
        }
        self.out = out;
        outcome?;
        for key in self.logs.take_rolled() {
            // What came after the roll is in it too, and is not replayed.
            if let Some(snapshot) = self.core.producer_snapshot(key) {
                self.logs.keep(key, &snapshot)?;
            }
        }
        self.configure();
        Ok(())
    }

    fn execute(&mut self, output: Output, now_ms: u64, host: &Host) -> Result<(), StorageError> {
        match output {
            Output::Append { key, base_offset, leader_epoch, bytes } => {
                self.logs.append(key, base_offset, leader_epoch, &bytes, now_ms)?;
            }
            Output::Truncate { key, to } => self.logs.truncate(key, to)?,
            Output::OpenLog { key, topic } => {
                let image = self.core.image();
                let in_force = self.core.settings();
                let settings = image.topic(key.topic).map(|(_, topic)| log_settings(in_force, topic));
                let settings = settings.unwrap_or_else(|| log_settings(in_force, &no_topic()));
                self.logs.create(key, &topic, settings)?;
            }
            Output::RaiseStart { key, to } => self.logs.raise_start(key, to)?,
            Output::RestartLog { key, at } => self.logs.restart(key, at)?,
            Output::DeleteLog { key } => self.logs.delete(key)?,
            Output::ProduceReply { id, partitions } => {
                if let Some(errand) = self.errands.remove(&id) {
                    let answer = partitions.into_iter().map(|one| one.result.err()).collect();
                    self.next.push_back(Input::PeerAnswer { errand, answer: Some(answer) });
                } else if let Some(sender) = self.produces.remove(&id) {
                    let _ = sender.send(partitions);
                }
            }
            Output::FetchReply { id, partitions } => {
                let Some(sender) = self.fetches.remove(&id) else { return Ok(()) };
                let mut answer = Vec::with_capacity(partitions.len());
                for result in partitions {
                    let bytes = match result.read {
                        Some(range) => self.logs.read(result.key, range.from, range.to)?,
                        None => Bytes::new(),
                    };
                    answer.push((result, bytes));
                }
                let _ = sender.send(answer);
            }
            Output::ReadLog { key, leader_epoch, from, to } => {
                let bytes = self.logs.read(key, from, to)?;
                self.next.push_back(Input::LogRead { key, leader_epoch, to, bytes });
            }
            Output::GroupReply { id, answer } => {
                if let Some(sender) = self.groups.remove(&id) {
                    let _ = sender.send(answer);
                }
            }
            Output::TransactionReply { id, answer } => {
                if let Some(errand) = self.errands.remove(&id) {
                    let TxnAnswer::Places(answer) = answer else { return Ok(()) };
                    self.next.push_back(Input::PeerAnswer { errand, answer: Some(answer) });
                } else if let Some(sender) = self.transactions.remove(&id) {
                    let _ = sender.send(answer);
                }
            }
            Output::AskPeer { to, errand, request } => self.ask_peer(host.spec.node_id, to, errand, request),
            Output::SendFetch { to, correlation, request } => {
                self.orders.push((to, Order { correlation, request }));
            }
            Output::ToController(message) => {
                if let Some(uplink) = &self.uplink {
                    let _ = uplink.send(message);
                }
            }
            Output::Event(event) => host.tell(self.core.image(), &event),
        }
        Ok(())
    }

    /// Another broker is asked after this step; this one, in the next.
    fn ask_peer(&mut self, me: i32, to: i32, errand: Errand, request: PeerRequest) {
        if to == NO_LEADER {
            self.next.push_back(Input::PeerAnswer { errand, answer: None });
            return;
        }
        if to != me {
            self.questions.push((to, errand, request));
            return;
        }
        let id = self.next_request();
        self.errands.insert(id, errand);
        self.next.push_back(match request {
            PeerRequest::WriteMarkers(orders) => Input::WriteMarkers { id, orders },
            PeerRequest::AddPartitions { transactional_id, producer, places, verify_only } => {
                let ask = TxnAsk::Add { producer, places, verify_only };
                Input::Transaction { id, request: TxnRequest { transactional_id, ask } }
            }
        });
    }

    /// Hands the topics' settings to the logs when the metadata has changed.
    fn configure(&mut self) {
        let image = Arc::clone(self.core.image());
        if image.version == self.configured {
            return;
        }
        self.configured = image.version;
        for topic in image.topics.values() {
            let wanted = log_settings(self.core.settings(), topic);
            for (partition, _) in (0..).zip(&topic.partitions) {
                self.logs.configure(PartitionKey { topic: topic.id, partition }, wanted);
            }
        }
    }
}

fn no_topic() -> TopicImage {
    TopicImage { id: crate::core::Uuid::NIL, configs: Default::default(), partitions: Vec::new() }
}

fn log_settings(settings: &Settings, topic: &TopicImage) -> LogSettings {
    let number = |name| settings.topic_number(&topic.configs, name);
    let longest = if settings.topic_has(&topic.configs, "cleanup.policy", "compact") {
        number("max.compaction.lag.ms")
    } else {
        u64::MAX
    };
    LogSettings {
        segment_bytes: number("segment.bytes"),
        segment_ms: number("segment.ms").min(longest),
        flush_messages: number("flush.messages"),
        flush_ms: number("flush.ms"),
    }
}

/// A fetch that may wait. Dropped before its answer (the client is gone), it is forgotten by the core too.
pub(super) struct Waiting {
    host: Rc<Host>,
    id: RequestId,
    receiver: oneshot::Receiver<Fetched>,
}

impl Waiting {
    /// The answer; `None` if the broker ends.
    pub(super) async fn answer(mut self) -> Option<Fetched> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let waits =
            self.host.engine.try_borrow_mut().ok().and_then(|mut engine| engine.fetches.remove(&self.id));
        if waits.is_some() {
            self.host.step(Input::FetchAbandoned(self.id));
        }
    }
}
