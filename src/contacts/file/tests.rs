use proptest::prelude::*;

use super::*;
use crate::contacts::{prefer::tests::contact, way::Way};

const FILE: &str = "contacts.csv";

fn now() -> Timestamp {
    Timestamp::from_timestamp_micros(1_800_000_000_000_000).unwrap()
}

fn table(text: &str) -> Result<Table, Vec<String>> {
    parse(Path::new(FILE), text, now()).map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn read(text: &str) -> Result<Vec<Contact>, Vec<String>> {
    table(text).map(|table| table.contacts)
}

#[test]
fn the_table_of_the_written_runbook_is_read() {
    let contacts = read(
        "\u{feff}Role,Primary,Secondary,Emergency\r\n\
         System Administrator,+1-555-010-0101,+1-555-010-0102,ops@antbot.local\r\n\
         \r\n\
         \"Administrator, Database\",+1-555-010-0111,,dba@antbot.local\r\n",
    )
    .unwrap();
    assert_eq!(contacts.len(), 2);
    assert_eq!(contacts[0].name, "System Administrator");
    assert_eq!(contacts[1].role, "Administrator, Database");
    assert_eq!(contacts[1].secondary, None);
    assert_eq!(contacts[1].emergency.as_ref().unwrap().reveal(), "dba@antbot.local");
}

#[test]
fn what_is_printed_is_read_again() {
    let text = "emergency_address, NAME, role, discord user, Phone\n\
                a@b.org,\"Ann \"\"Ace\"\" Lee\", Lead, <@!123456789012345678>, +49 30 1234567\n";
    let contacts = read(text).unwrap();
    assert_eq!(contacts[0].name, "Ann \"Ace\" Lee");
    assert_eq!(contacts[0].discord, Some(DiscordId(123_456_789_012_345_678)));
    assert_eq!(read(&print(&contacts).unwrap()).unwrap(), contacts);
}

#[test]
fn every_mistake_is_named_with_its_place_and_without_the_number() {
    let problems = read(
        "Role,Name,Discord,Primary,Colour\n\
         DBA,\"Omar, O.\",@omar,0171-5551234,red\n\
         ,Nobody,,+1-XXX-XXX-XXXX,\n\
         Lead,Lena,,,\n\
         DBA,Dana,400000000000000001,,\n\
         DBA,Dana,400000000000000001,,\n",
    )
    .unwrap_err();
    let starts: Vec<_> = problems.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "contacts.csv:1:27",
            "contacts.csv:2:16",
            "contacts.csv:2:22",
            "contacts.csv:3:1",
            "contacts.csv:3:10",
            "contacts.csv:4:1",
            "contacts.csv:6:5"
        ]
    );
    assert!(!problems.concat().contains("5551234"), "{problems:?}");
}

#[test]
fn a_file_without_contacts_is_a_mistake() {
    assert!(read("").unwrap_err()[0].contains("Role"));
    assert!(read("Role,Name\n").unwrap_err()[0].contains("no contact"));
    assert!(read("a\0b").is_err());
}

#[test]
fn what_is_preferred_and_when_it_was_verified_are_read() {
    let contacts = read(
        "Role,Primary,Emergency,Preferred,Last verified\n\
         DBA,+49 30 1234567,,voice sms,2026-11-23\n\
         Lead,,a@b.org,Email,2026-11-23T06:08:58.25+02:00\n\
         Ops,+49 30 1234568,,,\n",
    )
    .unwrap();
    assert_eq!(contacts[0].prefers, [Way::Voice, Way::Sms]);
    let at = |contact: &Contact| contact.verified.as_ref().map(|verified| verified.at.to_rfc3339());
    assert_eq!(at(&contacts[0]).as_deref(), Some("2026-11-23T00:00:00+00:00"));
    assert_eq!(at(&contacts[1]).as_deref(), Some("2026-11-23T04:08:58.250+00:00"));
    assert_eq!((&contacts[2].prefers, at(&contacts[2])), (&Vec::new(), None));
}

#[test]
fn a_preference_that_cannot_be_and_a_day_that_is_none_are_mistakes() {
    let problems = read(
        "Role,Discord,Primary,Preferred,Verified\n\
         A,400000000000000001,,voice,\n\
         B,,+49 30 1234567,sms carrier-pigeon,\n\
         C,,+49 30 1234567,,yesterday\n\
         D,,+49 30 1234567,,2999-01-01\n\
         E,,+49 30 1234567,direct-message,\n\
         0171 5551234,,+49 30 1234567,,\n",
    )
    .unwrap_err();
    let starts: Vec<_> = problems.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    let places = ["2:23", "3:19", "4:20", "5:20", "6:19", "7:1"].map(|place| format!("contacts.csv:{place}"));
    assert_eq!(starts, places, "{problems:#?}");
    for (problem, why) in
        problems.iter().zip(["telephone", "direct-message", "no date", "not come", "Discord user", "number"])
    {
        assert!(problem.contains(why) && !problem.contains("5551234\n"), "{problem}");
    }
}

fn verified(at: Timestamp) -> Option<Verified> {
    Some(Verified { at, by: "Omar".to_owned() })
}

#[test]
fn what_a_file_does_not_speak_of_it_does_not_change() {
    let short = "Role,Name,Primary\nDBA,Omar,+49 30 1234567\n";
    let mut old = read(short).unwrap();
    (old[0].prefers, old[0].verified) = (vec![Way::Voice], verified(now()));
    assert_eq!(table(short).unwrap().over(&old), old);

    let elsewhere =
        table("Role,Name,Discord,Primary\nDBA,Omar,400000000000000001,+49 30 1234567\n").unwrap().over(&old);
    assert_eq!((&elsewhere[0].prefers, &elsewhere[0].verified), (&old[0].prefers, &None));
    let no_phone = table("Role,Name,Discord\nDBA,Omar,400000000000000001\n").unwrap().over(&old);
    assert_eq!((no_phone[0].prefers.len(), &no_phone[0].verified), (0, &None));
    let emptied = table("Role,Name,Primary,Preferred,Verified\nDBA,Omar,+49 30 1234567,,\n").unwrap().over(&old);
    assert_eq!((emptied[0].prefers.len(), &emptied[0].verified), (0, &None));
}

#[test]
fn a_verification_does_not_go_along_with_another_number() {
    let mut old = read("Role,Name,Primary\nDBA,Omar,+49 30 1234567\n").unwrap();
    old[0].verified = verified(now());
    let edited = print(&old).unwrap().replace("1234567", "7654321");
    assert_eq!(table(&edited).unwrap().over(&old)[0].verified, None, "it was exported with the number before");
    assert!(table(&edited).unwrap().over(&[])[0].verified.is_some());
    old[0].verified = verified(now() - TimeDelta::days(1));
    assert!(table(&edited).unwrap().over(&old)[0].verified.is_some(), "it was seen since");
}

proptest! {
    #[test]
    fn whatever_is_exported_is_imported_again(
        one in contact(), other in contact(), at in prop::option::of(0..1_800_000_000_000_000_i64), name in "[^\\p{C}0-9@]{1,20}"
    ) {
        let at = at.and_then(Timestamp::from_timestamp_micros);
        let second = Contact { name: format!("x{name}x"), verified: at.and_then(verified), ..other };
        let old = vec![one, second];
        let file = print(&old).unwrap();
        prop_assert_eq!(table(&file).map(|table| table.over(&old)), Ok(old.clone()), "{}", file);
        // Elsewhere nobody knows who it was, and all else is the same.
        let anew: Vec<_> = read(&file).unwrap();
        prop_assert_eq!(print(&anew).unwrap(), file);
    }
}
