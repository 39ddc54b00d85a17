//! By which of their ways a contact is paged: those that they prefer, before an emergency.
//!
//! What must stay true: a preference never leaves anybody with no way where there was one. What is preferred and not
//! there at a rung's level counts for nothing, in an emergency all ways are used, and when one fails all others are.

use super::{Contact, Unusable, way::Way};
use crate::config::settings::Level;

impl Contact {
    /// The ways on which a page of a rung goes to them, and which of their addresses each uses. `can` tells which are set
    /// up.
    pub fn paged_by(&self, level: Level, can: &dyn Fn(Way) -> bool) -> Vec<(Way, Level)> {
        let all: Vec<_> = self.ways(level).into_iter().filter(|(way, _)| can(*way)).collect();
        if level == Level::Emergency {
            return all;
        }
        let mut preferred: Vec<_> = all.iter().copied().filter(|(way, _)| self.prefers.contains(way)).collect();
        preferred.sort_by_key(|(way, _)| self.rank(*way));
        if preferred.is_empty() { all } else { preferred }
    }

    /// What is used instead when a way fails: all that they have, the preferred ones first.
    pub fn instead(&self, can: &dyn Fn(Way) -> bool) -> Vec<(Way, Level)> {
        let mut all: Vec<_> = self.ways(Level::Emergency).into_iter().filter(|(way, _)| can(*way)).collect();
        all.sort_by_key(|(way, _)| self.rank(*way));
        all
    }

    /// The lower, the rather.
    pub fn rank(&self, way: Way) -> usize {
        self.prefers.iter().position(|preferred| *preferred == way).unwrap_or(self.prefers.len())
    }

    /// Whether they have an address that the way needs.
    pub fn has(&self, way: Way) -> bool {
        match way {
            Way::Discord | Way::DirectMessage => self.discord.is_some(),
            Way::Email => self.emergency.is_some(),
            Way::Sms | Way::Voice => self.primary.is_some() || self.secondary.is_some(),
            Way::Webhook | Way::Pagerduty | Way::Ntfy => false,
        }
    }

    /// # Errors
    /// When one of the ways that they prefer needs an address that they have not.
    pub fn fits_its_preferences(&self) -> Result<(), Unusable> {
        match self.prefers.iter().find(|way| !self.has(**way)) {
            None => Ok(()),
            Some(Way::DirectMessage) => Err(Unusable("direct-message needs a Discord user, and there is none")),
            Some(Way::Email) => Err(Unusable("email needs an emergency address, and there is none")),
            Some(Way::Sms) => Err(Unusable("sms needs a telephone number, and there is none")),
            Some(_) => Err(Unusable("voice needs a telephone number, and there is none")),
        }
    }
}

/// Ways as people write them: names, separated by spaces or commas. What is named twice counts where it stands first.
///
/// # Errors
/// When one of them is no way to a single contact. The text may be somebody's number, and is not repeated.
pub fn parse(text: &str) -> Result<Vec<Way>, Unusable> {
    let mut ways = Vec::new();
    for word in text.split(|one: char| one.is_whitespace() || one == ',').filter(|word| !word.is_empty()) {
        let way = word.to_lowercase().parse::<Way>().ok().filter(|way| Way::PERSONAL.contains(way));
        let way = way.ok_or(Unusable(
            "these are no ways to a contact: there is direct-message, email, sms and voice, separated by spaces",
        ))?;
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    Ok(ways)
}

/// As a file and the store have them.
pub fn print(ways: &[Way]) -> String {
    ways.iter().map(|way| way.name()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        config::settings::DiscordId,
        contacts::{Address, Phone},
    };

    /// Any contact that can be reached by something, with preferences that they can have.
    pub fn contact() -> impl Strategy<Value = Contact> {
        let order = Just(Way::PERSONAL.to_vec()).prop_shuffle();
        (any::<[bool; 4]>(), order, 0..=4_usize).prop_map(|([discord, primary, secondary, emergency], order, most)| {
            let nothing = !(discord || primary || secondary || emergency);
            let mut contact = Contact {
                role: "DBA".to_owned(),
                name: "Omar".to_owned(),
                discord: (discord || nothing).then_some(DiscordId(400_000_000_000_000_002)),
                primary: primary.then(|| Phone::parse("+1 555 010 0111").unwrap()),
                secondary: secondary.then(|| Phone::parse("+1 555 010 0112").unwrap()),
                emergency: emergency.then(|| Address::parse("dba@example.org").unwrap()),
                prefers: Vec::new(),
                verified: None,
            };
            contact.prefers = order.into_iter().take(most).filter(|way| contact.has(*way)).collect();
            contact
        })
    }

    proptest! {
        #[test]
        fn nobody_is_left_without_a_way_where_there_was_one(
            contact in contact(), level in prop::sample::select(Level::ALL.to_vec()), set_up in any::<[bool; 8]>()
        ) {
            let can = |way: Way| Way::ALL.iter().position(|one| *one == way).is_some_and(|place| set_up[place]);
            let all: Vec<_> = contact.ways(level).into_iter().filter(|(way, _)| can(*way)).collect();
            let paged = contact.paged_by(level, &can);
            prop_assert_eq!(paged.is_empty(), all.is_empty());
            prop_assert!(paged.iter().all(|way| all.contains(way)));
            let preferred = all.iter().any(|(way, _)| contact.prefers.contains(way));
            if level == Level::Emergency || !preferred {
                prop_assert_eq!(&paged, &all);
            } else {
                prop_assert!(paged.iter().all(|(way, _)| contact.prefers.contains(way)));
            }
            // What is used instead is everything, whatever is preferred.
            let instead = contact.instead(&can);
            prop_assert_eq!(instead.len(), contact.ways(Level::Emergency).iter().filter(|(way, _)| can(*way)).count());
            prop_assert!(paged.iter().all(|way| instead.contains(way)));
            prop_assert!(instead.is_sorted_by_key(|(way, _)| contact.rank(*way)));
        }

        #[test]
        fn preferences_are_read_as_they_were_written(contact in contact()) {
            prop_assert_eq!(parse(&print(&contact.prefers)), Ok(contact.prefers.clone()));
            prop_assert_eq!(contact.fits_its_preferences(), Ok(()));
        }
    }

    #[test]
    fn what_is_no_way_to_somebody_is_refused() {
        for bad in ["phone", "discord", "ntfy", "sms; voice", "+49 30 1234567", "sms pagerduty"] {
            let said = parse(bad).unwrap_err();
            assert!(said.0.contains("direct-message, email, sms and voice"), "{bad}");
        }
        assert_eq!(parse("SMS, voice sms"), Ok(vec![Way::Sms, Way::Voice]));
        assert_eq!(parse(" "), Ok(Vec::new()));
    }
}
