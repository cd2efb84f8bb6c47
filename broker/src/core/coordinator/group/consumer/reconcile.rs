//! One member's next step towards its target share (Apache Kafka, `CurrentAssignmentBuilder`): first let go of
//! what it shall not have, then move to the target's epoch, and take what is free.

use super::super::super::super::types::Uuid;
use super::super::super::Scope;
use super::{Consumer, MemberState, Share};
use crate::flaws::Flaw;

impl Consumer {
    /// Takes a member as far as it can go. `owned` is what it says it holds, if it says.
    pub(super) fn reconcile(&mut self, scope: Scope<'_>, id: &str, owned: Option<&Share>) {
        let Some(member) = self.members.get(id) else { return };
        let still_holds =
            |revoked: &Share| owned.is_none_or(|owned| !owned.is_disjoint(revoked)) && !revoked.is_empty();
        let waits = match member.state {
            MemberState::Stable => member.epoch == self.assignment_epoch,
            MemberState::Unrevoked => still_holds(&member.revoking),
            MemberState::Unreleased => false,
        };
        if waits {
            return;
        }
        let empty = Share::new();
        let target = self.target.get(id).unwrap_or(&empty);
        let mut assigned = &member.assigned & target;
        let revoking = &member.assigned - &assigned;
        let (mut free, mut unreleased) = (Share::new(), false);
        for partition in target - &assigned {
            // Not waiting for whoever holds it is the flaw.
            let waits = scope.flaw != Some(Flaw::TwoOwners);
            match waits && self.is_held_by_another(id, &partition) {
                true => unreleased = true,
                false => {
                    free.insert(partition);
                }
            }
        }
        let assignment_epoch = self.assignment_epoch;
        let Some(member) = self.members.get_mut(id) else { return };
        if still_holds(&revoking) {
            member.state = MemberState::Unrevoked;
            member.assigned = assigned;
            member.revoking = revoking;
            let patience_ms = u64::try_from(member.rebalance_ms).unwrap_or(0);
            member.revoke_deadline_ms = Some(scope.now_ms.saturating_add(patience_ms));
            return;
        }
        assigned.extend(free);
        member.assigned = assigned;
        member.revoking = Share::new();
        member.revoke_deadline_ms = None;
        member.state = if unreleased { MemberState::Unreleased } else { MemberState::Stable };
        if member.epoch != assignment_epoch {
            member.previous_epoch = member.epoch;
            member.epoch = assignment_epoch;
        }
    }

    fn is_held_by_another(&self, id: &str, partition: &(Uuid, i32)) -> bool {
        self.members
            .values()
            .filter(|member| member.id != id)
            .any(|member| member.assigned.contains(partition) || member.revoking.contains(partition))
    }
}
