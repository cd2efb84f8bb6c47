//! InitProducerId, for idempotence alone: a fresh id from the block this broker has reserved, epoch 0. That
//! is also Kafka's answer to an idempotent producer that wants its epoch raised (KIP-360).

use std::rc::Rc;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use crate::core::{AdminAnswer, AdminOp};
use crate::server::engine::Host;

/// Answers InitProducerId.
pub(super) async fn init(
    host: Rc<Host>,
    _version: i16,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let refuse = |error: ResponseError| {
        InitProducerIdResponse::default()
            .with_error_code(error.code())
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    };
    if request.transactional_id.is_some() {
        // Not retriable: there is no coordinator to wait for.
        return refuse(ResponseError::InvalidRequest);
    }
    loop {
        if let Some(id) = host.with(|engine| engine.producer_ids.next()) {
            return InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0);
        }
        match host.administer(AdminOp::AllocateProducerIds).await {
            // Two requests may both have reserved a block; what the other brought is only lost.
            Ok(AdminAnswer::ProducerIds { first, count }) => {
                host.with(|engine| engine.producer_ids = first..first + i64::from(count));
            }
            // Retriable, and true enough: ids come when the controller is heard.
            _ => return refuse(ResponseError::CoordinatorLoadInProgress),
        }
    }
}
