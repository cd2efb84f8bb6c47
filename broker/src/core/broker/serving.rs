//! The last step of a fetch: its answer, and the planted flaws that spoil it.

use super::super::io::{FetchResult, Output, ReadRange};
use super::super::refusal::Refusal;
use super::super::replica::Reader;
use super::super::types::RequestId;
use super::Broker;
use crate::flaws::Flaw;

impl Broker {
    pub(super) fn answer_fetch(
        &mut self,
        id: RequestId,
        reader: Reader,
        mut partitions: Vec<FetchResult>,
        out: &mut Vec<Output>,
    ) {
        if !matches!(reader, Reader::Replica(_)) {
            partitions.iter_mut().for_each(|result| self.spoil(result));
        }
        out.push(Output::FetchReply { id, partitions });
    }

    fn spoil(&mut self, result: &mut FetchResult) {
        let (Some(flaw), Some(read)) = (self.config.flaw, result.read) else { return };
        match flaw {
            Flaw::FalseOutOfRange => {
                self.served += 1;
                if flaw.hits(self.served) {
                    result.error = Some(Refusal::OffsetOutOfRange);
                    (result.high_watermark, result.last_stable, result.log_start) = (-1, -1, -1);
                    (result.read, result.aborted) = (None, Vec::new());
                }
            }
            Flaw::SkipInFetch => {
                let log = self.replicas.get(&result.key).map(|replica| &replica.log);
                let first = log.and_then(|log| log.span(read.from, read.to, 0, true));
                let Some(first) = first.filter(|first| first.to < read.to) else { return };
                self.served += 1;
                if flaw.hits(self.served) {
                    let bytes = read.bytes - first.bytes;
                    result.read = Some(ReadRange { from: first.to, to: read.to, bytes });
                }
            }
            _ => {}
        }
    }
}
