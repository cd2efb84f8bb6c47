//! Access control lists: there is no authorizer here, and Kafka without one answers so.

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::create_acls_response::AclCreationResult;
use kafka_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use kafka_protocol::messages::{
    CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse, DescribeAclsResponse,
};

use super::text;

const WHY: &str = "No Authorizer is configured on the broker";

/// Answers DescribeAcls.
pub(super) fn describe() -> DescribeAclsResponse {
    let code = ResponseError::SecurityDisabled.code();
    DescribeAclsResponse::default().with_error_code(code).with_error_message(Some(text(WHY)))
}

/// Answers CreateAcls.
pub(super) fn create(request: &CreateAclsRequest) -> CreateAclsResponse {
    let refused = |_: &_| {
        let code = ResponseError::SecurityDisabled.code();
        AclCreationResult::default().with_error_code(code).with_error_message(Some(text(WHY)))
    };
    CreateAclsResponse::default().with_results(request.creations.iter().map(refused).collect())
}

/// Answers DeleteAcls.
pub(super) fn delete(request: &DeleteAclsRequest) -> DeleteAclsResponse {
    let refused = |_: &_| {
        let code = ResponseError::SecurityDisabled.code();
        DeleteAclsFilterResult::default().with_error_code(code).with_error_message(Some(text(WHY)))
    };
    DeleteAclsResponse::default().with_filter_results(request.filters.iter().map(refused).collect())
}
