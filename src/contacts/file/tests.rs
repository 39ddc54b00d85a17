use super::*;

const FILE: &str = "contacts.csv";

fn read(text: &str) -> Result<Vec<Contact>, Vec<String>> {
    parse(Path::new(FILE), text).map_err(|problems| problems.iter().map(ToString::to_string).collect())
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
