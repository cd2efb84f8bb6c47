//! What faults do to the applications of a run: who is killed has a successor, a new session of it that goes on
//! where it was; who is stopped is continued.

use std::time::Duration;

use history::{Application, Role};
use targets::actors::protocol::{Command, Job};
use targets::causes::with_causes;

use super::crew::{Actor, Casting, Crew};

/// How long the end of a killed process may take to show.
const END_WITHIN: Duration = Duration::from_secs(5);

impl Crew {
    /// Applications of a kind that are at work, by their index.
    pub(crate) fn running(&self, role: Role) -> Vec<Application> {
        let at_work = |actor: &&Actor| {
            actor.job.role() == role && actor.ready && !actor.done && !actor.exited && !actor.paused
        };
        let mut running: Vec<_> = self.actors.values().filter(at_work).collect();
        running.sort_by_key(|actor| actor.index);
        running.into_iter().map(|actor| Application { role, index: actor.index }).collect()
    }

    /// Whether all actors of a kind have done what they were for, and nobody is to follow them.
    pub(crate) fn all_done(&self, is: impl Fn(&Job) -> bool) -> bool {
        self.of(is).all(|actor| actor.done && !actor.awaited)
    }

    /// Kills an application's session under way; its end is no failure, and its successor is waited for.
    pub(crate) fn kill(&mut self, application: Application) -> Result<(), String> {
        let actor = self.latest(application)?;
        actor.child.kill().map_err(|error| with_causes(&error))?;
        (actor.done, actor.awaited) = (true, true);
        match actor.child.wait_exit(END_WITHIN) {
            Some(_) => Ok(()),
            None => Err("it did not end in time".to_owned()),
        }
    }

    /// Starts the successor of one that was killed, if one is wanted.
    pub(crate) fn restart(
        &mut self,
        casting: &Casting,
        application: Application,
        wanted: bool,
    ) -> Result<(), String> {
        let actor = self.latest(application)?;
        if !std::mem::take(&mut actor.awaited) || !wanted {
            return Ok(());
        }
        if !actor.done {
            // It was to leave, and has not in time.
            self.kill(application)?;
        }
        let actor = self.latest(application)?;
        actor.awaited = false;
        let (job, session) = (actor.job.clone(), actor.session);
        let sent_before = actor.sent_before + sent(casting, application, session, actor.totals.sent)?;
        let cast = self.cast(casting, job, (application.index, session + 1), sent_before);
        cast.map_err(|failure| failure.text)
    }

    /// Asks an application's session under way to end in an orderly way; its successor is waited for.
    pub(crate) fn leave(&mut self, application: Application) -> Result<(), String> {
        let actor = self.latest(application)?;
        actor.awaited = true;
        let line = serde_json::to_string(&Command::Stop).map_err(|error| with_causes(&error))?;
        // One that is gone already needs no telling.
        let _ = actor.child.send_line(&line);
        Ok(())
    }

    /// Stops an application.
    pub(crate) fn pause(&mut self, application: Application) -> Result<(), String> {
        let actor = self.latest(application)?;
        // Also where it is not seen to stop: continuing one that runs does no harm.
        actor.paused = true;
        actor.child.pause().map_err(|error| with_causes(&error))
    }

    /// Continues an application that was stopped.
    pub(crate) fn resume(&mut self, application: Application) -> Result<(), String> {
        let actor = self.latest(application)?;
        if !std::mem::take(&mut actor.paused) || actor.exited {
            return Ok(());
        }
        actor.child.resume().map_err(|error| with_causes(&error))
    }

    /// The last session of an application.
    fn latest(&mut self, application: Application) -> Result<&mut Actor, String> {
        let same =
            |actor: &&mut Actor| actor.job.role() == application.role && actor.index == application.index;
        let sessions = self.actors.values_mut().filter(same);
        sessions.max_by_key(|actor| actor.session).ok_or_else(|| "it was never started".to_owned())
    }
}

/// Records that a session has invoked: its history tells, beyond what it told us before it died.
fn sent(casting: &Casting, application: Application, session: u32, told: u64) -> Result<u64, String> {
    let Application { role, index } = application;
    let Some(dir) = casting.history.as_ref().filter(|_| role == Role::Producer) else { return Ok(told) };
    let recorded = history::load::session(dir, role, index, session).map_err(|error| with_causes(&error))?;
    Ok(recorded.map_or(0, |session| session.send_count() as u64))
}
