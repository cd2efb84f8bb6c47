//! InitProducerId. With a transactional id it is its coordinator's; without one the answer is a fresh id from the
//! block this broker has reserved, epoch 0, which is also Kafka's answer to an idempotent producer that wants
//! its epoch raised (KIP-360).

use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::transactions;
use crate::core::{AdminAnswer, AdminOp, TxnAnswer, TxnAsk};
use crate::server::engine::{Host, Unanswered};

/// Answers InitProducerId.
pub(super) async fn init(
    host: Rc<Host>,
    version: i16,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let refuse = |code: i16| {
        InitProducerIdResponse::default()
            .with_error_code(code)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    let init = |(id, epoch): (i64, i16)| {
        InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(epoch)
    };
    let Some(id) = request.transactional_id else {
        return match fresh(&host).await {
            Ok(id) => init((id, 0)),
            // Retriable, and true enough: ids come when the controller is heard.
            Err(_) => refuse(ResponseError::CoordinatorLoadInProgress.code()),
        };
    };
    let producer = (request.producer_id.0, request.producer_epoch);
    // One without the other is nobody.
    if id.is_empty() || (producer.0 < 0) != (producer.1 < 0) {
        return refuse(ResponseError::InvalidRequest.code());
    }
    let expected = (version >= 3 && producer.0 >= 0).then_some(producer);
    let timeout_ms = request.transaction_timeout_ms;
    let ask = |fresh| TxnAsk::Init { timeout_ms, expected, fresh };
    match transactions::ask(&host, &id, ask).await {
        Some(TxnAnswer::Producer(Ok(producer))) => init(producer),
        Some(TxnAnswer::Producer(Err(refusal))) => refuse(transactions::code(refusal, version, 4)),
        _ => refuse(ResponseError::CoordinatorNotAvailable.code()),
    }
}

/// A producer id that nobody has.
pub(super) async fn fresh(host: &Rc<Host>) -> Result<i64, Unanswered> {
    loop {
        if let Some(id) = host.with(|engine| engine.producer_ids.next()) {
            return Ok(id);
        }
        match host.administer(AdminOp::AllocateProducerIds).await? {
            // Two requests may both have reserved a block; what the other brought is only lost.
            AdminAnswer::ProducerIds { first, count } => {
                host.with(|engine| engine.producer_ids = first..first + i64::from(count));
            }
            _ => return Err(Unanswered::Unknown),
        }
    }
}
