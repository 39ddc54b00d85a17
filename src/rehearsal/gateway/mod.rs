//! The gateway: one task for each websocket.
//!
//! A connection says HELLO, waits for IDENTIFY or RESUME, and from then on only carries what its session sends. It ends
//! with the close codes that Discord documents. Frames are uncompressed text, whatever the client offers.
//! <https://discord.com/developers/docs/events/gateway>

pub mod events;
pub mod session;

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::{
    events::{count_identify, forget_old_sessions, ready},
    session::{Out, Session, intents},
};
use super::{form::snowflake, render, server::Server, state::text, world};
use crate::{clock::Timestamp, ids::random_token};

/// Events that a client may send in [`MINUTE`]. <https://discord.com/developers/docs/events/gateway#rate-limiting>
const EVENTS_A_MINUTE: usize = 120;
const MINUTE: chrono::TimeDelta = chrono::TimeDelta::seconds(60);
/// How long a closed connection waits for the client's half of the close.
const LINGER: Duration = Duration::from_secs(1);
/// How long a dead connection is kept open.
const DEAD_FOR: Duration = Duration::from_secs(600);

/// How the connection goes on after a frame.
type Step = Result<(), Out>;

const CLOSE_UNKNOWN_OPCODE: Out = Out::Close(4001, "Unknown opcode.");
const CLOSE_DECODE_ERROR: Out = Out::Close(4002, "Error while decoding payload.");
const CLOSE_NOT_AUTHENTICATED: Out = Out::Close(4003, "Not authenticated.");
const CLOSE_AUTHENTICATION_FAILED: Out = Out::Close(4004, "Authentication failed.");
const CLOSE_ALREADY_AUTHENTICATED: Out = Out::Close(4005, "Already authenticated.");
const CLOSE_INVALID_SEQ: Out = Out::Close(4007, "Invalid seq.");
const CLOSE_RATE_LIMITED: Out = Out::Close(4008, "You are being rate limited.");
const CLOSE_TIMED_OUT: Out = Out::Close(4009, "Session timed out.");
const CLOSE_INVALID_SHARD: Out = Out::Close(4010, "Invalid shard.");
pub const CLOSE_INVALID_VERSION: Out = Out::Close(4012, "Invalid API version.");
const CLOSE_INVALID_INTENTS: Out = Out::Close(4013, "Invalid intent(s).");

static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

struct Connection {
    server: Arc<Server>,
    id: u64,
    out: UnboundedSender<Out>,
    /// When the client's events of the last minute came.
    received: VecDeque<Timestamp>,
    authenticated: bool,
    heartbeat_due: BoxFuture<'static, ()>,
}

/// Serves one websocket until it ends.
pub async fn serve(mut socket: WebSocket, server: Arc<Server>, version_known: bool) {
    if !version_known {
        return close(&mut socket, &server, CLOSE_INVALID_VERSION).await;
    }
    let (out, mut queue) = unbounded_channel();
    let heartbeat_due = heartbeat_deadline(&server);
    let id = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let mut connection =
        Connection { server: server.clone(), id, out, received: VecDeque::new(), authenticated: false, heartbeat_due };
    let (ending, keeps_session) = if server.with(|state| state.faults.silent_connections) {
        connection.stay_silent(&mut queue).await
    } else {
        connection.run(&mut socket, &mut queue).await
    };
    server.with(|state| {
        if keeps_session {
            state.sessions.iter_mut().filter(|session| session.held_by(id)).for_each(Session::disconnected);
        } else {
            state.sessions.retain(|session| !session.held_by(id));
        }
    });
    if let Some(ending) = ending {
        close(&mut socket, &server, ending).await;
    }
}

/// A client that misses a heartbeat by half an interval is gone.
fn heartbeat_deadline(server: &Arc<Server>) -> BoxFuture<'static, ()> {
    let (clock, allowed) = (server.clock.clone(), server.heartbeat * 3 / 2);
    Box::pin(async move { clock.sleep(allowed).await })
}

async fn close(socket: &mut WebSocket, server: &Server, ending: Out) {
    let Out::Close(code, reason) = ending else { return };
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    if socket.send(Message::Close(Some(frame))).await.is_err() {
        return;
    }
    // Hanging up at once could overtake the close frame.
    let drained = async { while let Some(Ok(_)) = socket.recv().await {} };
    let _ = server.clock.timeout(LINGER, drained).await;
}

impl Connection {
    /// Returns how to end, and whether the session may be resumed afterwards.
    async fn run(&mut self, socket: &mut WebSocket, queue: &mut UnboundedReceiver<Out>) -> (Option<Out>, bool) {
        let interval = u64::try_from(self.server.heartbeat.as_millis()).unwrap_or(u64::MAX);
        self.send(
            json!({"op": 10, "s": null, "t": null, "d": {"heartbeat_interval": interval, "_trace": ["rehearsal"]}}),
        );
        let stop = self.server.stop.clone();
        loop {
            tokio::select! {
                () = stop.cancelled() => return (Some(Out::Close(1001, "Going away.")), true),
                () = &mut self.heartbeat_due => return (Some(CLOSE_TIMED_OUT), true),
                Some(out) = queue.recv() => match out {
                    Out::Frame(frame) => {
                        if socket.send(Message::Text(frame.into())).await.is_err() {
                            return (None, true);
                        }
                    }
                    Out::Drop => return (None, true),
                    Out::Silence => return self.stay_silent(queue).await,
                    Out::Invalid(resumable) => {
                        self.authenticated = false;
                        let frame = json!({"op": 9, "s": null, "t": null, "d": resumable}).to_string();
                        if socket.send(Message::Text(frame.into())).await.is_err() {
                            return (None, true);
                        }
                    }
                    ending @ Out::Close(..) => return (Some(ending), true),
                },
                frame = socket.recv() => {
                    let step = match frame {
                        Some(Ok(Message::Text(frame))) => self.receive(frame.as_bytes()),
                        Some(Ok(Message::Binary(frame))) => self.receive(&frame),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                        // A bot that says goodbye with these codes gives up its session.
                        Some(Ok(Message::Close(frame))) => {
                            let goodbye = frame.is_none_or(|frame| matches!(frame.code, 1000 | 1001));
                            return (None, !goodbye);
                        }
                        Some(Err(_)) | None => return (None, true),
                    };
                    if let Err(ending) = step {
                        let resumable = matches!(ending, Out::Close(4001 | 4002 | 4008, _));
                        return (Some(ending), resumable);
                    }
                }
            }
        }
    }

    /// Neither reads nor writes; the socket's buffers take what the client says.
    async fn stay_silent(&mut self, queue: &mut UnboundedReceiver<Out>) -> (Option<Out>, bool) {
        let dropped = async {
            while let Some(out) = queue.recv().await {
                if matches!(out, Out::Drop) {
                    break;
                }
            }
        };
        tokio::select! {
            () = self.server.stop.cancelled() => {}
            () = self.server.clock.sleep(DEAD_FOR) => {}
            () = dropped => {}
        }
        (None, true)
    }

    fn send(&self, frame: Value) {
        // The queue lives as long as `run`.
        let _ = self.out.send(Out::Frame(frame.to_string()));
    }

    fn receive(&mut self, frame: &[u8]) -> Step {
        let now = self.server.clock.now();
        self.received.retain(|at| now - at < MINUTE);
        self.received.push_back(now);
        if self.received.len() > EVENTS_A_MINUTE {
            return Err(CLOSE_RATE_LIMITED);
        }
        let frame: Value = serde_json::from_slice(frame).map_err(|_| CLOSE_DECODE_ERROR)?;
        let opcode = frame["op"].as_u64().ok_or(CLOSE_DECODE_ERROR)?;
        let data = &frame["d"];
        match opcode {
            1 => {
                self.heartbeat_due = heartbeat_deadline(&self.server);
                if !self.server.with(|state| state.faults.ignore_heartbeats) {
                    self.send(json!({"op": 11, "s": null, "t": null, "d": null}));
                }
                Ok(())
            }
            2 if self.authenticated => Err(CLOSE_ALREADY_AUTHENTICATED),
            2 => self.identify(data),
            6 if self.authenticated => Err(CLOSE_ALREADY_AUTHENTICATED),
            6 => self.resume(data),
            3 | 4 | 8 if !self.authenticated => Err(CLOSE_NOT_AUTHENTICATED),
            // Presence and voice: nobody here shows them.
            3 | 4 => Ok(()),
            8 => self.request_members(data),
            _ => {
                tracing::warn!(opcode, "the rehearsal does not know this gateway opcode");
                Err(CLOSE_UNKNOWN_OPCODE)
            }
        }
    }

    fn identify(&mut self, data: &Value) -> Step {
        self.authenticate(data)?;
        let intents = data["intents"].as_u64().filter(|bits| *bits < 1 << 26).ok_or(CLOSE_INVALID_INTENTS)?;
        if let Some([shard, shards]) = data["shard"].as_array().map(Vec::as_slice) {
            let valid = shard.as_u64().zip(shards.as_u64()).is_some_and(|(shard, shards)| shard < shards);
            if !valid {
                return Err(CLOSE_INVALID_SHARD);
            }
        }
        self.authenticated = true;
        self.server.clone().with(|state| {
            forget_old_sessions(state);
            count_identify(state);
            let mut session = Session::new(random_token(), intents, self.id, self.out.clone());
            let (mut ready, mut guild) = (ready(state, &session.id), render::guild_create(state));
            state.faults.decorate(&mut ready);
            state.faults.decorate(&mut guild);
            session.dispatch("READY", &ready);
            if intents & intents::GUILDS != 0 {
                session.dispatch("GUILD_CREATE", &guild);
            }
            state.sessions.push(session);
        });
        Ok(())
    }

    fn resume(&mut self, data: &Value) -> Step {
        self.authenticate(data)?;
        let seq = data["seq"].as_u64().unwrap_or(0);
        let resumed = self.server.clone().with(|state| {
            let refused = state.faults.refuse_resume;
            let session =
                state.sessions.iter_mut().find(|session| session.id == text(data, "session_id") && !refused)?;
            Some(session.resume(seq, self.id, self.out.clone()))
        });
        match resumed {
            Some(true) => {
                self.authenticated = true;
                Ok(())
            }
            Some(false) => Err(CLOSE_INVALID_SEQ),
            None => {
                self.send(json!({"op": 9, "s": null, "t": null, "d": false}));
                Ok(())
            }
        }
    }

    /// Clients disagree whether the token comes with `Bot ` before it.
    fn authenticate(&self, data: &Value) -> Step {
        let token = text(data, "token").trim_start_matches("Bot ").trim();
        if token != self.server.token {
            return Err(CLOSE_AUTHENTICATION_FAILED);
        }
        match self.server.with(|state| state.faults.close_at_login) {
            Some(code) => Err(Out::Close(code, "A fault of the rehearsal.")),
            None => Ok(()),
        }
    }

    /// <https://discord.com/developers/docs/events/gateway-events#request-guild-members>
    fn request_members(&self, data: &Value) -> Step {
        let wanted: Vec<u64> = match &data["user_ids"] {
            Value::Array(list) => list.iter().filter_map(snowflake).collect(),
            one => snowflake(one).into_iter().collect(),
        };
        let prefix = data["query"].as_str().map(str::to_lowercase);
        let limit = data["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
        if data.get("guild_id").and_then(snowflake) != Some(world::GUILD) {
            return Ok(());
        }
        self.server.clone().with(|state| {
            let chosen = |id: u64, username: &str| match &prefix {
                Some(prefix) if wanted.is_empty() => username.starts_with(prefix.as_str()),
                _ => wanted.contains(&id),
            };
            let people = state.people.iter().filter(|person| chosen(person.id, &person.username));
            let members: Vec<Value> = people.take(limit.unwrap_or(usize::MAX)).map(render::member).collect();
            let missing = wanted.iter().filter(|id| state.person(**id).is_err());
            let mut chunk = json!({
                "guild_id": world::GUILD.to_string(),
                "members": members,
                "chunk_index": 0,
                "chunk_count": 1,
                "not_found": missing.map(ToString::to_string).collect::<Vec<_>>(),
            });
            if let Some(nonce) = data.get("nonce").filter(|nonce| !nonce.is_null()) {
                chunk["nonce"] = nonce.clone();
            }
            if data["presences"] == true {
                chunk["presences"] = json!([]);
            }
            let session = state.sessions.iter_mut().find(|session| session.held_by(self.id));
            if let Some(session) = session {
                session.dispatch("GUILD_MEMBERS_CHUNK", &chunk);
            }
        });
        Ok(())
    }
}
