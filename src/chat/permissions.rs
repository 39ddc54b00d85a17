//! drbot serves with no more than it needs: a bot that is an administrator can be made to delete what it should recover
//! by whoever gets its token, and no overwrite of a channel keeps it out.
//!
//! Asked once, before the gateway is dialled. An answer that does not come keeps nobody from serving: it is asked again
//! with the next connection.

use serde_json::Value;

use super::rest::{Call, Rest, Trouble};
use crate::progress::outside::{cut, plain};

/// <https://discord.com/developers/docs/topics/permissions>
const ADMINISTRATOR: u64 = 1 << 3;

/// Why drbot does not serve with the roles that it has on this server; `None` when it may.
pub(super) async fn refusal(rest: &Rest, guild: u64) -> Result<Option<String>, Trouble> {
    let me = rest.send(&Call::get("/users/@me")).await?;
    let id = me["id"].as_str().unwrap_or_default();
    let member = rest.send(&Call::get(&format!("/guilds/{guild}/members/{id}"))).await?;
    let roles = rest.send(&Call::get(&format!("/guilds/{guild}/roles"))).await?;
    Ok(gives_too_much(&roles, &member, guild).map(|role| {
        format!(
            "drbot does not serve with the permission Administrator, which its role {} has on the server {guild}. Take it \
             from the role (Server Settings, Roles), and give it what drbot needs instead: View Channels, Send Messages, \
             Embed Links, Attach Files, Read Message History, Create Public Threads, Send Messages in Threads. Then start \
             drbot again",
            cut(&plain(&role), 100)
        )
    }))
}

/// The role of the bot's that makes it an administrator. Everybody has the one that is called like the server.
fn gives_too_much(roles: &Value, member: &Value, guild: u64) -> Option<String> {
    let everyone = guild.to_string();
    let held = |id: &str| {
        let held = member["roles"].as_array();
        id == everyone || held.is_some_and(|roles| roles.iter().any(|role| role.as_str() == Some(id)))
    };
    let role = roles.as_array()?.iter().find(|role| {
        let bits = role["permissions"].as_str().and_then(|bits| bits.parse::<u64>().ok());
        role["id"].as_str().is_some_and(held) && bits.is_some_and(|bits| bits & ADMINISTRATOR != 0)
    })?;
    Some(role["name"].as_str().unwrap_or("without a name").to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_role_that_the_bot_has_counts() {
        let roles = |everyone: &str, bot: &str, other: &str| {
            json!([
                {"id": "1", "name": "@everyone", "permissions": everyone},
                {"id": "2", "name": "bot", "permissions": bot},
                {"id": "3", "name": "boss", "permissions": other},
            ])
        };
        let member = json!({"roles": ["2"]});
        assert_eq!(gives_too_much(&roles("1024", "2048", "8"), &member, 1), None);
        assert_eq!(gives_too_much(&roles("1024", "2056", "0"), &member, 1).as_deref(), Some("bot"));
        assert_eq!(gives_too_much(&roles("9007199254740991", "0", "0"), &member, 1).as_deref(), Some("@everyone"));
        assert_eq!(gives_too_much(&json!({"message": "hm"}), &member, 1), None);
    }
}
