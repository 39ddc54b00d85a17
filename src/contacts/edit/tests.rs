use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::{clock::Timestamp, contacts::way::Way};

fn now() -> Timestamp {
    Timestamp::from_timestamp_micros(1_800_000_000_000_000).unwrap()
}

fn seen() -> Option<Verified> {
    Some(Verified { at: now(), by: "Lena".to_owned() })
}

fn omar() -> Contact {
    let wanted = Wanted {
        role: text("DBA"),
        discord: text("<@400000000000000002>"),
        primary: text("+1 555 010 0111"),
        emergency: text("dba@example.org"),
        preferred: text("voice sms"),
        ..Wanted::default()
    };
    let mut table = set(&[], " Omar ", &wanted).unwrap();
    let mut omar = table.remove(0);
    assert_eq!((omar.name.as_str(), &omar.verified), ("Omar", &None));
    omar.verified = seen();
    omar
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn fields(result: Result<Vec<Contact>, EditError>) -> Vec<&'static str> {
    let Err(EditError::Fields(mistakes)) = result else { panic!("{result:?}") };
    mistakes.iter().map(|mistake| mistake.field).collect()
}

#[test]
fn a_contact_is_changed_where_something_is_said() {
    let table = [omar()];
    let wanted = Wanted { secondary: text("+1 555 010 0112"), preferred: text("-"), ..Wanted::default() };
    let changed = set(&table, "dba", &wanted).unwrap();
    assert_eq!(changed[0].secondary, Some(Phone::parse("+1 555 010 0112").unwrap()));
    assert_eq!((&changed[0].primary, changed[0].prefers.len()), (&table[0].primary, 0));
    assert_eq!(changed[0].verified, None, "another number was not seen to work");

    let renamed = set(&table, "Omar (DBA)", &Wanted { name: text("Omar O."), ..Wanted::default() }).unwrap();
    assert_eq!((renamed[0].name.as_str(), &renamed[0].verified), ("Omar O.", &seen()));
    assert_eq!(set(&table, "omar", &Wanted::default()), Err(EditError::Nothing));
    let same = Wanted { primary: text("+1 555 010 0111"), ..Wanted::default() };
    assert_eq!(set(&table, "omar", &same), Err(EditError::Nothing));
}

#[test]
fn every_change_of_an_address_voids_the_verification_and_nothing_else_does() {
    let address = [
        Wanted { discord: text("-"), ..Wanted::default() },
        Wanted { primary: text("+1 555 010 0199"), ..Wanted::default() },
        Wanted { secondary: text("+1 555 010 0199"), ..Wanted::default() },
        Wanted { emergency: text("-"), ..Wanted::default() },
    ];
    for wanted in address {
        assert_eq!(set(&[omar()], "omar", &wanted).unwrap()[0].verified, None);
    }
    let other =
        [Wanted { role: text("Lead"), ..Wanted::default() }, Wanted { preferred: text("email"), ..Wanted::default() }];
    for wanted in other {
        assert_eq!(set(&[omar()], "omar", &wanted).unwrap()[0].verified, seen());
    }
    let old = Verified { at: now() - TimeDelta::days(91), by: String::new() };
    assert!(verify(&[omar()], "omar", old).unwrap()[0].is_to_be_verified(now()));
    assert!(!omar().is_to_be_verified(now() + TimeDelta::days(90)));
}

#[test]
fn every_mistake_is_named_and_none_repeats_what_was_typed() {
    let wanted = Wanted {
        role: text("+49 30 555 1234"),
        name: text(&"x".repeat(4000)),
        discord: text("@omar"),
        primary: text("0171 5551234"),
        secondary: text("+1-XXX-XXX-XXXX"),
        emergency: text("call 5551234"),
        preferred: text("carrier 5551234 pigeon"),
    };
    let result = set(&[omar()], "omar", &wanted);
    assert!(!format!("{result:?} {wanted:?}").contains("555"), "{result:?}");
    assert_eq!(fields(result), ["role", "name", "Discord user", "primary", "secondary", "emergency", "preferred"]);
    assert_eq!(
        fields(set(&[], "ops@example.org", &Wanted { role: text("a\nb"), ..Wanted::default() })),
        ["role", "name"]
    );
    let nothing = |preferred: Option<String>| Wanted { primary: text("-"), preferred, ..Wanted::default() };
    assert_eq!(fields(set(&[omar()], "omar", &nothing(None))), ["preferred"], "voice and sms need a number");
    assert_eq!(set(&[omar()], "omar", &nothing(text("email"))).unwrap()[0].prefers, [Way::Email]);
    let all = Wanted { discord: text("-"), emergency: text("-"), ..nothing(None) };
    assert_eq!(fields(set(&[omar()], "omar", &all)), ["contact"]);
}

#[test]
fn who_is_meant_is_never_guessed() {
    let lead = Contact { role: "Lead".to_owned(), ..omar() };
    let table = [omar(), lead];
    assert!(matches!(find(&table, "Omar"), Err(EditError::Several { which }) if which.len() == 2));
    assert_eq!(find(&table, "omar (lead)").unwrap().role, "Lead");
    for contact in &table {
        assert_eq!(find(&table, &mark(contact)).unwrap(), contact);
        assert_eq!(find(&table, &handle(contact)).unwrap(), contact);
    }
    let long = Contact { role: "r".repeat(80), name: "n".repeat(80), ..omar() };
    assert!(handle(&long).len() <= 100);
    assert!(matches!(set(&table, "Omarr", &Wanted::default()), Err(EditError::NewNeedsRole { .. })));
    assert_eq!(set(&table, "omar (lead)", &Wanted { role: text("DBA"), ..Wanted::default() }), Err(EditError::Taken));
    assert!(matches!(remove(&table, "Lena"), Err(EditError::Unknown { known }) if known.len() == 2));
    assert_eq!(remove(&table, "lead").unwrap(), [omar()]);
    let many: Vec<_> = (0..MOST).map(|number| Contact { name: format!("n{number}"), ..omar() }).collect();
    let one_more = Wanted { role: text("DBA"), primary: text("+1 555 010 0111"), ..Wanted::default() };
    assert_eq!(set(&many, "another", &one_more), Err(EditError::Full));
}

proptest! {
    #[test]
    fn whatever_is_typed_the_table_stays_one_that_a_file_can_hold(
        which in "\\PC{0,20}", values in prop::collection::vec(prop::option::of("[\\PC\n\u{0}]{0,30}|-|\\+1 555 010 01[0-9]{2}|[a-z]@b\\.org"), 7)
    ) {
        let wanted = Wanted {
            role: values[0].clone(),
            name: values[1].clone(),
            discord: values[2].clone(),
            primary: values[3].clone(),
            secondary: values[4].clone(),
            emergency: values[5].clone(),
            preferred: values[6].clone(),
        };
        if let Ok(table) = set(&[], &which, &wanted) {
            let file = crate::contacts::file::print(&table).unwrap();
            let read = crate::contacts::file::parse(std::path::Path::new("x"), &file, now());
            prop_assert_eq!(read.map(|read| read.contacts), Ok(table), "{}", file);
        }
    }
}
