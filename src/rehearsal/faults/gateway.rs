//! What happens to the connections that are open now.

use super::form::Given;
use crate::rehearsal::{gateway::session::Session, state::State};

pub fn drop_connections(state: &mut State, _: &Given) -> Result<(), String> {
    state.sessions.iter_mut().for_each(Session::drop_connection);
    Ok(())
}

pub fn invalidate(state: &mut State, given: &Given) -> Result<(), String> {
    let resumable = given.is("resumable");
    state.sessions.iter_mut().for_each(|session| session.invalidate(resumable));
    if !resumable {
        state.sessions.retain(|session| !session.connected());
    }
    Ok(())
}

pub fn reconnect(state: &mut State, _: &Given) -> Result<(), String> {
    state.sessions.iter_mut().for_each(Session::ask_to_reconnect);
    Ok(())
}

pub fn close(state: &mut State, given: &Given) -> Result<(), String> {
    let code = given.text("code").parse().map_err(|_| "\"code\" is a close code")?;
    state.faults.close_at_login = given.is("again").then_some(code);
    for session in &mut state.sessions {
        session.close(code);
    }
    // After these a session is over: https://discord.com/developers/docs/topics/opcodes-and-status-codes
    if matches!(code, 4003 | 4004 | 4007 | 4009..=4014) {
        state.sessions.clear();
    }
    Ok(())
}

pub fn silence(state: &mut State, given: &Given) -> Result<(), String> {
    state.faults.silent_connections = given.is("again");
    state.sessions.iter_mut().for_each(|session| session.silence());
    Ok(())
}
