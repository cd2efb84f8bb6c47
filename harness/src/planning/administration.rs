//! What must be so, or must be said, before a run asks a cluster to change a topic.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use history::{FaultClass, TargetKind};
use targets::secure::Security;

use super::class;
use crate::cli::flags::PlanArgs;

/// Refuses requests that could not be made, or would cost somebody else something without their being asked.
///
/// # Errors
/// What has to be said, or cannot be had.
pub(super) fn check(
    args: &PlanArgs,
    target: TargetKind,
    word: &str,
    verbatim: &BTreeMap<String, String>,
) -> anyhow::Result<()> {
    let Some(class) = class(word).filter(|class| class.is_administrative()) else { return Ok(()) };
    // The client library asks for these two by itself, whatever it speaks.
    let by_the_library = matches!(class, FaultClass::AddPartitions | FaultClass::AlterTopicConfigs);
    if let Err(error) = Security::of(verbatim)
        && !by_the_library
    {
        return Err(error).with_context(|| {
            format!("nemesis `{word}` cannot be asked for (choose `add-partitions` or `alter-topic-configs`)")
        });
    }
    if target == TargetKind::Reference || !args.target.allow_existing_topic {
        return Ok(());
    }
    let topic = args.target.topic.as_deref().unwrap_or_default();
    ensure!(
        class != FaultClass::AddPartitions,
        "nemesis `{word}` cannot be undone, and topic `{topic}` may be somebody else's (leave out --allow-existing-topic)"
    );
    ensure!(
        class == FaultClass::AlterTopicConfigs || args.guard.allow_destructive,
        "nemesis `{word}` may cost others what they have in topic `{topic}` (say so with --allow-destructive, or leave out --allow-existing-topic)"
    );
    Ok(())
}
