//! Who knocks: the kernel says which user it is, and `drbot.toml` says who that is.
//!
//! Default deny: a user that no `[[people]]` names is nobody, the superuser too. One that two of them name, as two people,
//! is nobody either: who approves must be known.

use nix::unistd::{Uid, User as Account};

use crate::{
    access::Caller,
    config::settings::{HostPerson, Settings},
    run::event::Person,
};

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    /// The name of the account, where it has one.
    pub name: Option<String>,
}

impl User {
    /// Looks the account's name up, which may take a while (a directory service): not on a thread that others need.
    pub fn of(uid: u32) -> Self {
        let account = Account::from_uid(Uid::from_raw(uid)).ok().flatten();
        Self { uid, name: account.map(|account| account.name) }
    }

    /// The user of this process.
    pub fn me() -> Self {
        Self::of(Uid::effective().as_raw())
    }

    fn is(&self, unix: &str) -> bool {
        let unix = unix.trim();
        match unix.parse::<u32>() {
            Ok(uid) => uid == self.uid,
            Err(_) => self.name.as_deref() == Some(unix),
        }
    }
}

/// Why a user is nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nobody {
    /// No `[[people]]` names it.
    Stranger,
    /// Several do, as different people.
    Several(Vec<String>),
}

/// Who a user is, with the roles that `drbot.toml` gives them.
///
/// # Errors
/// When it is nobody.
pub fn who(settings: &Settings, user: &User) -> Result<Caller, Nobody> {
    let found: Vec<&HostPerson> = settings.people.iter().filter(|person| user.is(&person.unix)).collect();
    let person = match found.as_slice() {
        [] => return Err(Nobody::Stranger),
        [one] => *one,
        several => return Err(Nobody::Several(several.iter().map(|person| person.name.clone()).collect())),
    };
    let roles = person.roles.iter().filter_map(|role| settings.roles.get(role)).copied().collect();
    // A terminal is no channel: the card goes where drbot speaks, if commands are taken there.
    let discord = &settings.discord;
    let taken = &discord.command_channels;
    let channel = match taken.first() {
        Some(first) if !taken.contains(&discord.channel) => *first,
        _ => discord.channel,
    };
    // The record shows which way somebody came; who it is, is the id.
    let name = format!("{} (host)", person.name.trim());
    Ok(Caller { person: Person { id: person.discord, name }, roles, channel, is_bot: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::DiscordId;

    fn settings(people: &[(&str, u64, &[&str])]) -> Settings {
        let people = people.iter().map(|(unix, discord, roles)| HostPerson {
            unix: (*unix).to_owned(),
            discord: DiscordId(*discord),
            name: format!("P{discord}"),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        });
        let mut settings: Settings = serde_json::from_value(serde_json::json!({
            "discord": { "guild": "1", "channel": "2", "command_channels": ["3", "4"] },
            "roles": { "operator": "10", "dba": "11" },
        }))
        .unwrap();
        settings.people = people.collect();
        settings
    }

    fn user(uid: u32, name: &str) -> User {
        User { uid, name: Some(name.to_owned()) }
    }

    #[test]
    fn a_user_is_who_the_settings_say_and_nobody_else() {
        let settings = settings(&[("dana", 1, &["operator"]), ("1007", 2, &["dba", "gone"])]);
        let dana = who(&settings, &user(1000, "dana")).unwrap();
        assert_eq!((dana.person.id, dana.roles), (DiscordId(1), vec![DiscordId(10)]));
        let by_number = who(&settings, &User { uid: 1007, name: None }).unwrap();
        assert_eq!((by_number.person.id, by_number.roles), (DiscordId(2), vec![DiscordId(11)]));
        assert_eq!(who(&settings, &user(0, "root")), Err(Nobody::Stranger));
        // A name is no number, and a number no name.
        assert_eq!(who(&settings, &user(5, "1007")), Err(Nobody::Stranger));
        assert_eq!(who(&settings, &User { uid: 1000, name: None }), Err(Nobody::Stranger));
    }

    #[test]
    fn who_is_two_people_is_nobody() {
        let settings = settings(&[("dana", 1, &["operator"]), ("1000", 2, &["dba"])]);
        let both = Nobody::Several(vec!["P1".to_owned(), "P2".to_owned()]);
        assert_eq!(who(&settings, &user(1000, "dana")), Err(both));
    }

    #[test]
    fn the_card_goes_where_commands_are_taken() {
        let mut settings = settings(&[("dana", 1, &["operator"])]);
        assert_eq!(who(&settings, &user(1, "dana")).unwrap().channel, DiscordId(3));
        settings.discord.command_channels.push(DiscordId(2));
        assert_eq!(who(&settings, &user(1, "dana")).unwrap().channel, DiscordId(2));
        settings.discord.command_channels.clear();
        assert_eq!(who(&settings, &user(1, "dana")).unwrap().channel, DiscordId(2));
    }
}
