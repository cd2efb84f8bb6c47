//! Did a fault of an application bite? One rule per class. Nothing but the application's own history shows it.

use history::{Nanos, Role, Session, Told};

use super::bite::{Bite, seconds};
use crate::context::{Context, FaultRun};

/// Who invoked a send so shortly before was still sending.
const SENDING: u64 = 1_000_000_000;

/// The session was never closed, and records were in doubt when it ended or had just been sent.
pub(super) fn kill_producer(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    let Some((session, next)) = hit(context, fault, invoked) else { return nobody() };
    let who = session.name();
    if session.closed {
        return Bite::no(format!("{who} was done before it was killed (raise `--records` or `--duration`)"));
    }
    let (mut open, mut gone) = (0_usize, 0_usize);
    let producers = context.producers.iter().filter(|producer| std::ptr::eq(producer.session, session));
    for (send, place) in producers.flat_map(|producer| producer.sends()) {
        let untold = send.told == Told::Nothing;
        open += usize::from(untold);
        gone += usize::from(untold && place.copies == 0 && context.absence_counts(&send));
    }
    let last = last_sent(session, invoked);
    if open == 0 && last.is_none_or(|last| invoked.since(last) > SENDING) {
        return Bite::no(format!("{who} was sending nothing when it was killed (raise `--rate`)"));
    }
    let successor = match next.and_then(|next| Some((next.name(), begun(next)?))) {
        Some((name, at)) => format!("; {name} began {} later", seconds(invoked, at)),
        None => String::new(),
    };
    Bite::yes(format!(
        "{who} was killed with {open} records in doubt, {gone} of which never arrived{successor}"
    ))
}

/// It had been sending, and sent nothing for at least half of the pause: a machine that stands still itself
/// stamps the heal late.
pub(super) fn pause_producer(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    let Some((session, _)) = hit(context, fault, invoked) else { return nobody() };
    let who = session.name();
    let injected = fault.injected.unwrap_or(invoked);
    let Some(last) = last_sent(session, injected) else {
        return Bite::no(format!("{who} had sent nothing when it was paused (raise `--rate`)"));
    };
    let healed = fault.healed.unwrap_or(Nanos(u64::MAX));
    let next = session.sends().map(|send| send.invoked).filter(|at| *at > injected).min();
    let open = session
        .sends()
        .any(|send| send.invoked <= injected && send.completed.is_none_or(|completed| completed > injected));
    let Some(until) = next.or((open && session.closed).then_some(healed)) else {
        return Bite::no(format!("{who} had nothing more to send when it was paused (raise `--records`)"));
    };
    if until.since(injected) < healed.since(injected) / 2 {
        return Bite::no(format!(
            "{who} was paused, and sent again {} later all the same",
            seconds(injected, until)
        ));
    }
    Bite::yes(format!("{who} was paused, and sent nothing for {}", seconds(last, until)))
}

/// The session ended before it had read every fence, and another one began.
pub(super) fn kill_reader(context: &Context<'_>, fault: &FaultRun<'_>, invoked: Nanos) -> Bite {
    let Some((session, next)) = hit(context, fault, invoked) else { return nobody() };
    let (who, given) = (session.name(), session.delivery_count());
    if session.closed {
        return Bite::no(format!("{who} was done before it was killed (raise `--duration`)"));
    }
    let Some((next, at)) = next.and_then(|next| Some((next, begun(next)?))) else {
        return Bite::no(format!("{who} was killed, and no session of it followed (raise `--duration`)"));
    };
    Bite::yes(format!(
        "{who} was killed after {given} records; {} began {} later and was given {}",
        next.name(),
        seconds(invoked, at),
        next.delivery_count()
    ))
}

pub(super) fn nobody() -> Bite {
    Bite::no("the application that was hit has no history (raise `--duration`)")
}

/// The session that was under way then, and the one after it.
pub(super) fn hit<'a>(
    context: &Context<'a>,
    fault: &FaultRun<'_>,
    invoked: Nanos,
) -> Option<(&'a Session, Option<&'a Session>)> {
    let application = fault.applications.first()?;
    let mut sessions: Vec<&Session> =
        context.history.of(application.role).filter(|session| session.index == application.index).collect();
    sessions.sort_by_key(|session| session.session);
    let after = sessions.partition_point(|session| begun(session).is_some_and(|begun| begun <= invoked));
    let place = after.checked_sub(1)?;
    Some((sessions[place], sessions.get(after).copied()))
}

/// When a session first put anything on record.
pub(super) fn begun(session: &Session) -> Option<Nanos> {
    let noted = session.notes.first().map(|(at, _)| *at);
    let sent = session.sends().next().map(|send| send.invoked);
    let reads = matches!(session.role, Role::Reader | Role::Member);
    let given = reads.then(|| session.deliveries().next()).flatten();
    [noted, sent, given.map(|delivery| delivery.polled)].into_iter().flatten().min()
}

fn last_sent(session: &Session, before: Nanos) -> Option<Nanos> {
    session.sends().map(|send| send.invoked).filter(|at| *at <= before).max()
}
