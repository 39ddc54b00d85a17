use proptest::prelude::*;

use super::*;
use crate::contacts::{
    Verified, differences,
    edit::{self, Wanted},
    file,
};

fn now() -> Timestamp {
    Timestamp::from_timestamp_micros(1_800_000_000_000_000).unwrap()
}

fn omar() -> Contact {
    let text = "Role,Name,Discord,Primary,Secondary,Emergency,Preferred\n\
                Database *Administrator*,Omar,400000000000000002,+1-555-010-0111,,dba@antbot.local,voice sms\n";
    file::parse(std::path::Path::new("x"), text, now()).unwrap().contacts.remove(0)
}

#[test]
fn a_verification_that_is_missing_or_old_is_marked() {
    let mut contact = omar();
    assert_eq!(verified(&contact, now()), "⚠ not verified");
    contact.verified = Some(Verified { at: now() - chrono::TimeDelta::days(3), by: "Lena".to_owned() });
    assert_eq!(verified(&contact, now()), "✓ verified 3 d 0 h ago by Lena");
    let later = now() + chrono::TimeDelta::days(88);
    assert_eq!(verified(&contact, later), "⚠ verified 91 d 0 h ago by Lena");
    let shown = table(&[contact], &[], false, now());
    assert!(shown.contains("\nprefers voice, sms · ✓ verified"), "{shown}");
}

#[test]
fn a_change_is_told_masked_in_one_line() {
    let wanted = Wanted {
        primary: Some("+49 30 1234567".to_owned()),
        discord: Some("-".to_owned()),
        preferred: Some("sms".to_owned()),
        ..Wanted::default()
    };
    let mut before = omar();
    before.verified = Some(Verified { at: now(), by: "Lena".to_owned() });
    let old = [before];
    let new = edit::set(&old, "omar", &wanted).unwrap();
    insta::assert_snapshot!(changed("Lena", Some(DiscordId(3)), &differences::between(&old, &new)), @r"Lena (<@3>): **Omar** (Database \*Administrator\*) is changed: Discord user is empty now, primary `+49 •• •••••67`, prefers sms, no longer verified");
    let added = changed("root (host)", None, &differences::between(&[], &old));
    assert_eq!(
        added,
        "root (host): **Omar** (Database \\*Administrator\\*) is added: Discord user <@400000000000000002>, primary \
         `+1-5••-•••-••11`, emergency `d••@\u{200b}antbot.local`, prefers voice sms, verified by Lena"
    );
    assert_eq!(
        done(&differences::between(&old, &[])),
        "• **Omar** (Database \\*Administrator\\*) is removed\nThe channel is told."
    );
    let question = really_remove(&old[0], &["DBA".to_owned()]);
    assert!(question.starts_with("Remove **Omar**") && question.ends_with("calls in a disaster: DBA."), "{question}");
}

proptest! {
    #[test]
    fn whoever_is_called_what_nobody_is_mentioned_and_all_fits(
        names in prop::collection::vec("(@everyone|<@1>|`|\\*\\*|\\PC){1,40}", 1..60), by in "(@here|`|\\PC){1,32}"
    ) {
        let changes: Vec<_> = names.iter().map(|name| ContactChange {
            role: name.clone(),
            name: name.clone(),
            what: RowChange::Changed(vec![FieldChange { field: "primary".to_owned(), now: "+49 •• •67".to_owned() }]),
        }).collect();
        let mut contact = omar();
        (contact.name, contact.role) = (names[0].clone(), names[0].clone());
        let outcome = Some(names[0].clone());
        let all = [Tried { way: "sms", to: "+49".to_owned(), outcome }];
        for text in [
            changed(&by, None, &changes), done(&changes), tried(&contact, &all), direct_test(&contact, &by),
            really_remove(&contact, &names), not_changed(&EditError::Several { which: names.clone() }),
            not_changed(&EditError::NewNeedsRole { known: names.clone() }),
        ] {
            prop_assert!(text.chars().count() <= 2000, "{}", text.chars().count());
            prop_assert!(!text.contains("@everyone") && !text.contains("@here") && !text.contains("<@1>"), "{}", text);
        }
        prop_assert_eq!(changed(&by, None, &changes).lines().count(), 1);
        let rows = vec![contact; 200];
        prop_assert!(table(&rows, &names, true, now()).chars().count() <= 4096);
    }
}
