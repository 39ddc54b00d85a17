//! Commands, and the choices of autocomplete.
//!
//! <https://discord.com/developers/docs/interactions/application-commands>

use crate::rehearsal::form::{
    Field,
    Shape::{self, Any, Boolean, Choice, Integer, List, Number, Object, Snowflake, Tagged, Text},
    may, must,
};

static CHOICE: [Field; 3] = [must("name", Text(1, 100)), may("name_localizations", Any), must("value", Any)];
pub static AUTOCOMPLETE: [Field; 1] = [must("choices", List(0, 25, &Object(&CHOICE)))];

static A_CHOICE: Shape = Object(&CHOICE);
const CHOICES: Field = may("choices", List(0, 25, &A_CHOICE));
static STRING_OPTION: [Field; 10] = [
    must("type", Choice(&[3])),
    must("name", Text(1, 32)),
    may("name_localizations", Any),
    must("description", Text(1, 100)),
    may("description_localizations", Any),
    may("required", Boolean),
    CHOICES,
    may("autocomplete", Boolean),
    may("min_length", Integer(0, 6000)),
    may("max_length", Integer(1, 6000)),
];
static NUMBER_OPTION: [Field; 10] = [
    must("type", Choice(&[4, 10])),
    must("name", Text(1, 32)),
    may("name_localizations", Any),
    must("description", Text(1, 100)),
    may("description_localizations", Any),
    may("required", Boolean),
    CHOICES,
    may("autocomplete", Boolean),
    may("min_value", Number),
    may("max_value", Number),
];
static CHANNEL_OPTION: [Field; 7] = [
    must("type", Choice(&[7])),
    must("name", Text(1, 32)),
    may("name_localizations", Any),
    must("description", Text(1, 100)),
    may("description_localizations", Any),
    may("required", Boolean),
    may("channel_types", List(0, 20, &Integer(0, i64::MAX))),
];
static PLAIN_OPTION: [Field; 6] = [
    must("type", Choice(&[5, 6, 8, 9, 11])),
    must("name", Text(1, 32)),
    may("name_localizations", Any),
    must("description", Text(1, 100)),
    may("description_localizations", Any),
    may("required", Boolean),
];
static LEAVES: [(i64, &[Field]); 9] = [
    (3, &STRING_OPTION),
    (4, &NUMBER_OPTION),
    (5, &PLAIN_OPTION),
    (6, &PLAIN_OPTION),
    (7, &CHANNEL_OPTION),
    (8, &PLAIN_OPTION),
    (9, &PLAIN_OPTION),
    (10, &NUMBER_OPTION),
    (11, &PLAIN_OPTION),
];
static SUBCOMMAND: [Field; 7] = [
    must("type", Choice(&[1])),
    must("name", Text(1, 32)),
    may("name_localizations", Any),
    must("description", Text(1, 100)),
    may("description_localizations", Any),
    may("required", Boolean),
    may("options", List(0, 25, &Tagged(&LEAVES))),
];
static IN_A_GROUP: [(i64, &[Field]); 1] = [(1, &SUBCOMMAND)];
static GROUP: [Field; 7] = [
    must("type", Choice(&[2])),
    must("name", Text(1, 32)),
    may("name_localizations", Any),
    must("description", Text(1, 100)),
    may("description_localizations", Any),
    may("required", Boolean),
    may("options", List(0, 25, &Tagged(&IN_A_GROUP))),
];
static OPTIONS: [(i64, &[Field]); 11] = [
    (1, &SUBCOMMAND),
    (2, &GROUP),
    (3, &STRING_OPTION),
    (4, &NUMBER_OPTION),
    (5, &PLAIN_OPTION),
    (6, &PLAIN_OPTION),
    (7, &CHANNEL_OPTION),
    (8, &PLAIN_OPTION),
    (9, &PLAIN_OPTION),
    (10, &NUMBER_OPTION),
    (11, &PLAIN_OPTION),
];
/// A command of any type; which of them need a description is a rule apart.
pub static COMMAND: [Field; 13] = [
    may("id", Snowflake),
    may("type", Choice(&[1, 2, 3])),
    must("name", Text(1, 32)),
    may("name_localizations", Any),
    may("description", Text(0, 100)),
    may("description_localizations", Any),
    may("options", List(0, 25, &Tagged(&OPTIONS))),
    may("default_member_permissions", Snowflake),
    may("default_permission", Boolean),
    may("dm_permission", Boolean),
    may("nsfw", Boolean),
    may("integration_types", List(0, 2, &Choice(&[0, 1]))),
    may("contexts", List(0, 3, &Choice(&[0, 1, 2]))),
];
