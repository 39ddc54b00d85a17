//! The rehearsal's gateway, spoken to by hand: what it does with clients that break the rules.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a story that cannot go on has failed")]

use std::time::Duration;

use drbot::{
    clock::Clock,
    rehearsal::{Rehearsal, Settings, world},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A websocket with just enough of RFC 6455: text frames out, text and close frames in.
struct Wire(TcpStream);

#[derive(Debug, PartialEq)]
enum Frame {
    Text(Value),
    Close(u16),
}

impl Wire {
    async fn open(rehearsal: &Rehearsal, query: &str) -> Self {
        let mut stream = TcpStream::connect(rehearsal.address()).await.unwrap();
        let request = format!(
            "GET /?{query} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            rehearsal.address()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self(stream)
    }

    async fn send(&mut self, text: &str) {
        // A mask of zeros is a mask.
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.0.write_all(&frame).await.unwrap();
    }

    async fn says(&mut self, op: u64, data: Value) {
        self.send(&json!({"op": op, "d": data}).to_string()).await;
    }

    async fn hears(&mut self) -> Frame {
        Clock::system().timeout(PATIENCE, self.read()).await.expect("the gateway is silent")
    }

    async fn read(&mut self) -> Frame {
        let kind = self.0.read_u8().await.unwrap() & 0x0f;
        let length = match self.0.read_u8().await.unwrap() {
            126 => u64::from(self.0.read_u16().await.unwrap()),
            127 => self.0.read_u64().await.unwrap(),
            short => u64::from(short),
        };
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.0.read_exact(&mut payload).await.unwrap();
        match kind {
            1 => Frame::Text(serde_json::from_slice(&payload).unwrap()),
            8 => Frame::Close(u16::from_be_bytes([payload[0], payload[1]])),
            other => panic!("a frame of kind {other}"),
        }
    }

    async fn hears_text(&mut self) -> Value {
        match self.hears().await {
            Frame::Text(value) => value,
            Frame::Close(code) => panic!("closed with {code}"),
        }
    }

    async fn hears_event(&mut self, name: &str) -> Value {
        loop {
            let frame = self.hears_text().await;
            if frame["t"] == name {
                return frame;
            }
        }
    }

    /// HELLO, IDENTIFY, READY; returns the session.
    async fn identifies(&mut self) -> String {
        let hello = self.hears_text().await;
        assert_eq!((&hello["op"], &hello["d"]["heartbeat_interval"]), (&json!(10), &json!(41250)));
        self.says(2, identity(world::TOKEN)).await;
        let ready = self.hears_event("READY").await;
        assert_eq!(ready["s"], 1);
        let guild = self.hears_event("GUILD_CREATE").await;
        assert_eq!((&guild["s"], &guild["d"]["id"]), (&json!(2), &json!(world::GUILD.to_string())));
        ready["d"]["session_id"].as_str().unwrap().to_owned()
    }
}

fn identity(token: &str) -> Value {
    json!({"token": token, "intents": 513, "properties": {"os": "", "browser": "", "device": ""}, "shard": [0, 1]})
}

async fn rehearsal() -> Rehearsal {
    Rehearsal::start(Settings::strict(Clock::system())).await.unwrap()
}

async fn closes(query: &str, first: &str) -> u16 {
    let rehearsal = rehearsal().await;
    let mut wire = Wire::open(&rehearsal, query).await;
    wire.send(first).await;
    let code = loop {
        if let Frame::Close(code) = wire.hears().await {
            break code;
        }
    };
    drop(wire);
    rehearsal.shutdown().await;
    code
}

#[tokio::test]
async fn rule_breakers_get_discords_close_codes() {
    let identify = |identity: Value| json!({"op": 2, "d": identity}).to_string();
    assert_eq!(closes("v=10", &identify(identity("guess"))).await, 4004);
    assert_eq!(closes("v=10", "not json").await, 4002);
    assert_eq!(closes("v=10", r#"{"op": 8, "d": {}}"#).await, 4003);
    assert_eq!(closes("v=10", r#"{"op": 77, "d": {}}"#).await, 4001);
    assert_eq!(closes("v=6", "{}").await, 4012);
    let mut shard = identity(world::TOKEN);
    shard["shard"] = json!([1, 1]);
    assert_eq!(closes("v=10", &identify(shard)).await, 4010);
    let mut intents = identity(world::TOKEN);
    intents["intents"] = json!(1_u64 << 40);
    assert_eq!(closes("v=10", &identify(intents)).await, 4013);
}

#[tokio::test]
async fn a_second_identify_and_a_flood_are_closed() {
    let rehearsal = rehearsal().await;
    let mut wire = Wire::open(&rehearsal, "v=10&encoding=json&compress=zlib-stream").await;
    wire.identifies().await;
    wire.says(2, identity(world::TOKEN)).await;
    assert_eq!(wire.hears().await, Frame::Close(4005));

    let mut wire = Wire::open(&rehearsal, "v=10").await;
    wire.hears_text().await;
    for beat in 0..120 {
        wire.says(1, json!(beat)).await;
        assert_eq!(wire.hears_text().await["op"], 11);
    }
    wire.says(1, Value::Null).await;
    assert_eq!(wire.hears().await, Frame::Close(4008));
    drop(wire);
    rehearsal.shutdown().await;
}

#[tokio::test]
async fn a_client_without_a_heartbeat_is_closed() {
    let settings = Settings { heartbeat: Duration::from_millis(40), ..Settings::strict(Clock::system()) };
    let rehearsal = Rehearsal::start(settings).await.unwrap();
    let mut wire = Wire::open(&rehearsal, "v=10").await;
    assert_eq!(wire.hears_text().await["d"]["heartbeat_interval"], 40);
    assert_eq!(wire.hears().await, Frame::Close(4009));
    drop(wire);
    rehearsal.shutdown().await;
}

#[tokio::test]
async fn a_session_is_resumed_where_it_was_and_a_stranger_is_not() {
    let rehearsal = rehearsal().await;
    let mut wire = Wire::open(&rehearsal, "v=10").await;
    let session = wire.identifies().await;
    drop(wire);
    let say = format!("{}/rehearsal/api/say", rehearsal.api_url());
    let body = json!({"person": "Gil", "channel": "ops", "content": "missed"});
    reqwest::Client::new().post(say).json(&body).send().await.unwrap();

    let mut wire = Wire::open(&rehearsal, "v=10").await;
    wire.hears_text().await;
    wire.says(6, json!({"token": world::TOKEN, "session_id": "another", "seq": 2})).await;
    let refused = wire.hears_text().await;
    assert_eq!((&refused["op"], &refused["d"]), (&json!(9), &json!(false)));
    wire.says(6, json!({"token": world::TOKEN, "session_id": session, "seq": 2})).await;
    let missed = wire.hears_event("MESSAGE_CREATE").await;
    assert_eq!(missed["s"], 3);
    // Other people's words need the message content intent.
    assert_eq!(missed["d"]["content"], "");
    assert_eq!(wire.hears_event("RESUMED").await["s"], 4);

    let mut wire = Wire::open(&rehearsal, "v=10").await;
    wire.hears_text().await;
    wire.says(6, json!({"token": world::TOKEN, "session_id": session, "seq": 99})).await;
    assert_eq!(wire.hears().await, Frame::Close(4007));
    drop(wire);
    rehearsal.shutdown().await;
}

#[tokio::test]
async fn members_are_asked_for_with_a_nonce() {
    let rehearsal = rehearsal().await;
    let mut wire = Wire::open(&rehearsal, "v=10").await;
    wire.identifies().await;
    let ids = [world::BOT_USER.to_string(), "1".to_owned()];
    wire.says(8, json!({"guild_id": world::GUILD.to_string(), "user_ids": ids, "limit": 0, "nonce": "probe"})).await;
    let chunk = wire.hears_event("GUILD_MEMBERS_CHUNK").await["d"].take();
    assert_eq!((&chunk["nonce"], &chunk["not_found"]), (&json!("probe"), &json!(["1"])));
    assert_eq!(chunk["members"][0]["user"]["id"], world::BOT_USER.to_string());
    drop(wire);
    rehearsal.shutdown().await;
}

/// Whatever a client sends, frame by frame, the gateway ends that client at most: the next one is served.
#[test]
fn no_frame_brings_the_gateway_down() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let rehearsal = runtime.block_on(rehearsal());
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let sent = (any::<bool>(), proptest::collection::vec(frame(), 1..12));
    runner
        .run(&sent, |(identified, frames)| {
            runtime.block_on(async {
                let mut wire = Wire::open(&rehearsal, "v=10").await;
                if identified {
                    wire.identifies().await;
                }
                for frame in &frames {
                    // It may have hung up already, as it should.
                    if wire.0.write_all(frame).await.is_err() {
                        break;
                    }
                }
                let _ = wire.0.shutdown().await;
                // Heard to the end: what was sent has been dealt with by then.
                let mut heard = Vec::new();
                let end = Clock::system().timeout(PATIENCE, wire.0.read_to_end(&mut heard)).await;
                assert!(end.is_some(), "the gateway holds on to a client that is gone");
                assert!(heard.len() < 1 << 22, "{} bytes for {} frames", heard.len(), frames.len());
                Wire::open(&rehearsal, "v=10").await.identifies().await;
            });
            Ok(())
        })
        .unwrap();
    runtime.block_on(rehearsal.shutdown());
}

/// One frame of RFC 6455, right or wrong in any way, or bytes that are none.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!({})),
        Just(json!([[[[[]]]]])),
        Just(json!(world::TOKEN)),
        Just(json!(world::GUILD.to_string())),
        Just(json!("9".repeat(400))),
    ];
    let names = [
        "token",
        "intents",
        "properties",
        "shard",
        "session_id",
        "seq",
        "guild_id",
        "user_ids",
        "query",
        "limit",
        "nonce",
    ];
    let data = proptest::collection::vec((proptest::sample::select(names.to_vec()), field.clone()), 0..6)
        .prop_map(|fields| Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()));
    let op = prop_oneof![3 => (0..12_i64).prop_map(Value::from), 1 => field.clone()];
    let said =
        (op, prop_oneof![data, field]).prop_map(|(op, data)| json!({ "op": op, "d": data }).to_string().into_bytes());
    let deep = (1..5000_usize).prop_map(|deep| format!("{{\"op\":1,\"d\":{}", "[".repeat(deep)).into_bytes());
    let payload = prop_oneof![6 => said, 1 => deep, 2 => proptest::collection::vec(any::<u8>(), 0..300)];
    let kind = prop_oneof![8 => Just(0x81_u8), 1 => any::<u8>()];
    let shape = prop_oneof![8 => Just(0_u8), 1 => 1..5_u8];
    (kind, shape, any::<[u8; 4]>(), payload).prop_map(|(kind, shape, mask, payload)| {
        let length = payload.len();
        let mut frame = vec![kind];
        match shape {
            // A length that is not that of what follows, of petabytes, of nothing; no mask.
            1 => frame.extend([0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            2 => frame.extend([0xfe, 0xff, 0xff]),
            3 => frame.push(0x80),
            4 => {
                frame.push(u8::try_from(length.min(125)).unwrap());
                frame.extend(payload);
                return frame;
            }
            _ => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
            }
        }
        frame.extend(mask);
        frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        frame
    })
}

async fn fault(rehearsal: &Rehearsal, fault: Value) {
    let url = format!("{}/rehearsal/api/fault", rehearsal.api_url());
    let answer = reqwest::Client::new().post(url).json(&fault).send().await.unwrap();
    assert!(answer.status().is_success(), "{fault}: {}", answer.text().await.unwrap());
}

#[tokio::test]
async fn live_sessions_are_told_to_reconnect_and_that_they_are_invalid() {
    let rehearsal = rehearsal().await;
    let mut wire = Wire::open(&rehearsal, "v=10").await;
    let session = wire.identifies().await;
    fault(&rehearsal, json!({"kind": "reconnect"})).await;
    assert_eq!(wire.hears_text().await["op"], 7);
    fault(&rehearsal, json!({"kind": "invalidate_session", "resumable": true})).await;
    let invalid = wire.hears_text().await;
    assert_eq!((&invalid["op"], &invalid["d"]), (&json!(9), &json!(true)));
    wire.says(6, json!({"token": world::TOKEN, "session_id": session, "seq": 2})).await;
    assert_eq!(wire.hears_event("RESUMED").await["op"], 0);
    fault(&rehearsal, json!({"kind": "invalidate_session"})).await;
    let invalid = wire.hears_text().await;
    assert_eq!((&invalid["op"], &invalid["d"]), (&json!(9), &json!(false)));
    // The same connection may identify anew.
    wire.says(2, identity(world::TOKEN)).await;
    assert_ne!(wire.hears_event("READY").await["d"]["session_id"], session);
    drop(wire);
    rehearsal.shutdown().await;
}

#[tokio::test]
async fn connections_are_closed_with_the_code_that_was_asked_for() {
    let rehearsal = rehearsal().await;
    let mut wire = Wire::open(&rehearsal, "v=10").await;
    wire.identifies().await;
    fault(&rehearsal, json!({"kind": "close_gateway", "code": 4014, "again": true})).await;
    assert_eq!(wire.hears().await, Frame::Close(4014));
    let mut wire = Wire::open(&rehearsal, "v=10").await;
    wire.hears_text().await;
    wire.says(2, identity(world::TOKEN)).await;
    assert_eq!(wire.hears().await, Frame::Close(4014));
    fault(&rehearsal, json!({"kind": "clear"})).await;
    Wire::open(&rehearsal, "v=10").await.identifies().await;
    rehearsal.shutdown().await;
}

/// The socket stays open, and neither a heartbeat is answered nor an event sent.
#[tokio::test]
async fn a_dead_connection_says_nothing_and_stays_open() {
    let rehearsal = rehearsal().await;
    let mut wire = Wire::open(&rehearsal, "v=10").await;
    wire.identifies().await;
    fault(&rehearsal, json!({"kind": "silence_gateway"})).await;
    wire.says(1, json!(2)).await;
    let silence = Duration::from_millis(300);
    assert!(Clock::system().timeout(silence, wire.read()).await.is_none(), "it neither speaks nor ends");
    fault(&rehearsal, json!({"kind": "ignore_heartbeats"})).await;
    let mut living = Wire::open(&rehearsal, "v=10").await;
    living.identifies().await;
    living.says(1, json!(2)).await;
    assert!(Clock::system().timeout(silence, living.read()).await.is_none(), "heartbeats are not acknowledged");
    living.says(8, json!({"guild_id": world::GUILD.to_string(), "user_ids": ["1"], "limit": 0})).await;
    living.hears_event("GUILD_MEMBERS_CHUNK").await;
    drop((wire, living));
    rehearsal.shutdown().await;
}
