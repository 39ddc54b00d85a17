//! The one table of faults.

use super::{
    Faults, How, Left, RestFault,
    form::{Field, Given, Kind, Of, Preset},
    gateway, place,
};
use crate::rehearsal::state::State;

const NEVER: fn(&State) -> bool = |_| false;

const ON: Field = optional("on", Of::Boolean, Preset::Boolean(true), "false ends it.");
const CHANNEL: Field = required("channel", Of::Channel, "A name or an id.");
const METHOD: Field = optional(
    "method",
    Of::Choice(&["any", "GET", "POST", "PUT", "PATCH", "DELETE"]),
    Preset::Text("any"),
    "Only requests with this method.",
);
const PATH: Field = optional(
    "path",
    Of::Text,
    Preset::Text("*"),
    "Only requests to this path, below /api/v10; * stands for anything: /channels/*/messages.",
);
const TIMES: Field = optional(
    "times",
    Of::Number { least: 0.0, most: 1_000_000.0 },
    Preset::Number(1),
    "For so many requests; 0 is until cleared.",
);
const SERVER_ERRORS: Of = Of::Number { least: 400.0, most: 599.0 };

const fn optional(name: &'static str, of: Of, default: Preset, help: &'static str) -> Field {
    Field { name, of, default, required: false, help }
}

const fn required(name: &'static str, of: Of, help: &'static str) -> Field {
    Field { name, of, default: Preset::Nothing, required: true, help }
}

pub static KINDS: [Kind; 23] = [
    Kind {
        kind: "drop_gateway",
        name: "Drop the connection",
        description: "Every gateway connection ends without a close frame, as by a cut cable. Sessions can be resumed.",
        fields: &[],
        set: gateway::drop_connections,
        active: NEVER,
    },
    Kind {
        kind: "refuse_resume",
        name: "Refuse RESUME",
        description: "RESUME is answered with Invalid Session: events of the meantime are lost.",
        fields: &[ON],
        set: |state, given| flag(&mut state.faults.refuse_resume, given),
        active: |state| state.faults.refuse_resume,
    },
    Kind {
        kind: "invalidate_session",
        name: "Invalidate the session",
        description: "Live sessions get Invalid Session (opcode 9).",
        fields: &[optional("resumable", Of::Boolean, Preset::Boolean(false), "Whether RESUME still works.")],
        set: gateway::invalidate,
        active: NEVER,
    },
    Kind {
        kind: "reconnect",
        name: "Ask to reconnect",
        description: "Live sessions get Reconnect (opcode 7), as when Discord moves its servers.",
        fields: &[],
        set: gateway::reconnect,
        active: NEVER,
    },
    Kind {
        kind: "close_gateway",
        name: "Close with a code",
        description: "Every gateway connection is closed with this close code.",
        fields: &[
            required(
                "code",
                Of::Choice(&[
                    "4000", "4001", "4002", "4003", "4004", "4005", "4007", "4008", "4009", "4010", "4011", "4012",
                    "4013", "4014",
                ]),
                "4004 is a wrong token, 4013 and 4014 wrong intents; Discord's page on close codes has the rest.",
            ),
            optional(
                "again",
                Of::Boolean,
                Preset::Boolean(false),
                "Whether IDENTIFY and RESUME are answered with it too, until cleared.",
            ),
        ],
        set: gateway::close,
        active: |state| state.faults.close_at_login.is_some(),
    },
    Kind {
        kind: "hang_upgrade",
        name: "Hang while connecting",
        description: "Gateway connections are taken and never answered: the websocket does not open.",
        fields: &[TIMES],
        set: |state, given| {
            state.faults.hang_upgrade = Left::times(given.whole("times"));
            Ok(())
        },
        active: |state| state.faults.hang_upgrade.some(),
    },
    Kind {
        kind: "ignore_heartbeats",
        name: "Ignore heartbeats",
        description: "Heartbeats are not acknowledged; events still come.",
        fields: &[ON],
        set: |state, given| flag(&mut state.faults.ignore_heartbeats, given),
        active: |state| state.faults.ignore_heartbeats,
    },
    Kind {
        kind: "silence_gateway",
        name: "Dead connection",
        description: "Nothing goes through the gateway connections that are open now, in neither direction, and they \
                      stay open. They are lost for good; new ones work.",
        fields: &[optional(
            "again",
            Of::Boolean,
            Preset::Boolean(false),
            "Whether new connections are silent too, until cleared.",
        )],
        set: gateway::silence,
        active: |state| state.faults.silent_connections,
    },
    Kind {
        kind: "no_gateway_address",
        name: "No gateway address",
        description: "GET /gateway and GET /gateway/bot are answered with 503.",
        fields: &[ON],
        set: |state, given| flag(&mut state.faults.no_gateway_address, given),
        active: |state| state.faults.no_gateway_address,
    },
    Kind {
        kind: "rate_limit",
        name: "Rate limit",
        description: "Requests are answered with 429.",
        fields: &[
            optional(
                "retry_after",
                Of::Number { least: 0.0, most: 3600.0 },
                Preset::Nothing,
                "Seconds that the answer asks to wait. Left out, it does not say (as when an address is banned).",
            ),
            optional("global", Of::Boolean, Preset::Boolean(false), "Whether it says that everything is limited."),
            PATH,
            METHOD,
            TIMES,
        ],
        set: |state, given| {
            let (retry_after, global) = (given.number("retry_after"), given.is("global"));
            rest(state, given, How::RateLimit { retry_after, global })
        },
        active: |state| breaks(state, |how| matches!(how, How::RateLimit { .. })),
    },
    Kind {
        kind: "rest_status",
        name: "Errors",
        description: "Requests are answered with an error in Discord's form.",
        fields: &[
            required("status", SERVER_ERRORS, "An HTTP status, like 503."),
            optional("code", Of::Number { least: 0.0, most: 999_999.0 }, Preset::Number(0), "Discord's error code."),
            optional(
                "after",
                Of::Boolean,
                Preset::Boolean(false),
                "Whether the request is carried out first: only its answer is lost then.",
            ),
            PATH,
            METHOD,
            TIMES,
        ],
        set: |state, given| {
            let code = u32::try_from(given.whole("code")).unwrap_or(0);
            rest(state, given, How::Status { status: status(given), code, after: given.is("after") })
        },
        active: |state| breaks(state, |how| matches!(how, How::Status { .. })),
    },
    Kind {
        kind: "html_error",
        name: "Errors that are no JSON",
        description: "Requests are answered with an HTML page, as the proxy before Discord does when Discord is down.",
        fields: &[optional("status", SERVER_ERRORS, Preset::Number(502), "An HTTP status."), PATH, METHOD, TIMES],
        set: |state, given| rest(state, given, How::Html { status: status(given) }),
        active: |state| breaks(state, |how| matches!(how, How::Html { .. })),
    },
    Kind {
        kind: "slow_ms",
        name: "Slow answers",
        description: "Every REST request waits before it is looked at.",
        fields: &[required("ms", Of::Number { least: 0.0, most: 600_000.0 }, "Milliseconds; 0 ends it.")],
        set: |state, given| {
            state.faults.slow_ms = given.whole("ms");
            Ok(())
        },
        active: |state| state.faults.slow_ms > 0,
    },
    Kind {
        kind: "lost_answer",
        name: "Lost answers",
        description: "Requests are carried out, and the connection ends without an answer.",
        fields: &[PATH, METHOD, TIMES],
        set: |state, given| rest(state, given, How::LostAnswer),
        active: |state| breaks(state, |how| *how == How::LostAnswer),
    },
    Kind {
        kind: "duplicate_interactions",
        name: "Deliver twice",
        description: "Every interaction is delivered twice, with one id.",
        fields: &[ON],
        set: |state, given| flag(&mut state.faults.duplicate_interactions, given),
        active: |state| state.faults.duplicate_interactions,
    },
    Kind {
        kind: "unreadable_interactions",
        name: "Unreadable interactions",
        description: "Interactions come without attachment_size_limit, a field that client libraries insist on.",
        fields: &[TIMES],
        set: |state, given| {
            state.faults.unreadable_interactions = Left::times(given.whole("times"));
            Ok(())
        },
        active: |state| state.faults.unreadable_interactions.some(),
    },
    Kind {
        kind: "unknown_fields",
        name: "Unknown fields",
        description: "Events have fields that nobody knows, and an event of an unknown type comes before each.",
        fields: &[ON],
        set: |state, given| flag(&mut state.faults.unknown_fields, given),
        active: |state| state.faults.unknown_fields,
    },
    Kind {
        kind: "old_tokens",
        name: "Tokens are too old",
        description: "An interaction's token counts as older than 15 minutes once it is acknowledged: its answer cannot \
                      be filled in or followed up.",
        fields: &[
            ON,
            optional("code", Of::Choice(&["50027", "10015"]), Preset::Text("50027"), "The error that says so."),
        ],
        set: |state, given| {
            state.faults.old_tokens = given.text("code").parse().ok().filter(|_| given.on());
            Ok(())
        },
        active: |state| state.faults.old_tokens.is_some(),
    },
    Kind {
        kind: "old_messages",
        name: "Messages are too old",
        description: "Messages that are there now count as older than an hour and edited too often: an edit is answered \
                      with 429 and code 30046.",
        fields: &[ON],
        set: |state, given| {
            state.faults.old_messages = given.on().then(|| state.messages.keys().last().copied().unwrap_or(0));
            Ok(())
        },
        active: |state| state.faults.old_messages.is_some(),
    },
    Kind {
        kind: "delete_channel",
        name: "Delete a channel",
        description: "The channel is deleted with its messages and threads. Clearing the faults makes it again, empty.",
        fields: &[CHANNEL],
        set: place::delete_channel,
        active: place::deleted,
    },
    Kind {
        kind: "deny",
        name: "Take a permission",
        description: "Takes a permission from the bot in one channel.",
        fields: &[
            CHANNEL,
            required(
                "permission",
                Of::Choice(&[
                    "view",
                    "send",
                    "send_in_threads",
                    "embed",
                    "attach",
                    "history",
                    "threads",
                    "manage_threads",
                ]),
                "What the bot may not do there any more.",
            ),
            ON,
        ],
        set: place::deny,
        active: place::denied,
    },
    Kind {
        kind: "administrator",
        name: "Make it an administrator",
        description: "The role of the bot gets the permission Administrator, which no bot should have.",
        fields: &[ON],
        set: place::administrator,
        active: place::is_administrator,
    },
    Kind {
        kind: "clear",
        name: "Clear",
        description: "Ends all of them. Connections that are dead stay dead.",
        fields: &[],
        set: |state, _| {
            state.faults = Faults::default();
            place::mend(state);
            Ok(())
        },
        active: NEVER,
    },
];

fn flag(fault: &mut bool, given: &Given) -> Result<(), String> {
    *fault = given.on();
    Ok(())
}

fn rest(state: &mut State, given: &Given, how: How) -> Result<(), String> {
    state.faults.rest.push(RestFault::new(given, how));
    Ok(())
}

fn breaks(state: &State, how: fn(&How) -> bool) -> bool {
    state.faults.rest.iter().any(|fault| fault.left.some() && how(&fault.how))
}

fn status(given: &Given) -> u16 {
    u16::try_from(given.whole("status")).unwrap_or(500)
}
